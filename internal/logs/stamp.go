package logs

import "time"

// ParseTime reads a timestamp as RFC 3339 writes it. What is none is the zero time. It is fast for the one way in which Cloud
// Logging writes a time: in UTC, with a Z.
func ParseTime(s string) time.Time {
	const shortest = len("2006-01-02T15:04:05Z")
	if len(s) < shortest || len(s) > shortest+10 || s[len(s)-1] != 'Z' ||
		s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' {
		return parseRFC3339(s)
	}
	bad := false
	two := func(i int) int {
		a, b := s[i]-'0', s[i+1]-'0'
		bad = bad || a > 9 || b > 9
		return int(a)*10 + int(b)
	}
	year, month, day := two(0)*100+two(2), two(5), two(8)
	hour, minute, second := two(11), two(14), two(17)
	nanos := 0
	if len(s) > shortest {
		bad = bad || s[19] != '.' || len(s) == shortest+1
		scale := 100_000_000
		for _, c := range []byte(s[20 : len(s)-1]) {
			bad = bad || c < '0' || c > '9'
			nanos += int(c-'0') * scale
			scale /= 10
		}
	}
	// Days that not every month has are left to the slow way.
	if bad || month < 1 || month > 12 || day < 1 || day > 28 || hour > 23 || minute > 59 || second > 59 {
		return parseRFC3339(s)
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
}
