package logs

import "time"

// minute is the minute that was read last: the lines of a log tell the same one again and again.
type minute struct {
	text  [len("2006-01-02T15:04:")]byte
	begin time.Time
}

// parse is ParseTime.
func (m *minute) parse(s string) time.Time {
	if len(s) < len("2006-01-02T15:04:05Z") {
		return ParseTime(s)
	}
	if string(m.text[:]) == s[:len(m.text)] && s[len(s)-1] == 'Z' {
		if since, ok := sinceMinute(s[len(m.text) : len(s)-1]); ok {
			return m.begin.Add(since)
		}
	}
	t := ParseTime(s)
	if !t.IsZero() && s[13] == ':' && s[16] == ':' && s[len(s)-1] == 'Z' {
		copy(m.text[:], s)
		m.begin = t.Truncate(time.Minute)
	}
	return t
}

// sinceMinute reads seconds with up to nine digits of a fraction; false for anything else.
func sinceMinute(s string) (time.Duration, bool) {
	a, b := s[0]-'0', s[1]-'0'
	if a > 5 || b > 9 {
		return 0, false
	}
	since := time.Duration(a*10+b) * time.Second
	if len(s) == 2 {
		return since, true
	}
	if s[2] != '.' || len(s) == 3 || len(s) > 12 {
		return 0, false
	}
	nanos := 0
	for _, c := range []byte(s[3:]) {
		if c -= '0'; c > 9 {
			return 0, false
		}
		nanos = nanos*10 + int(c)
	}
	return since + time.Duration(nanos*scales[12-len(s)]), true
}

// scales are the powers of ten, by the digits of a fraction that are missing to nine.
var scales = [...]int{1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

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
