package words

import "strings"

// withoutCards is s with the numbers of payment cards replaced: 14 to 16 digits in a row, or in the groups that are printed on cards with a space
// or a dash between, of an issuer's range, whose check digit (Luhn's) is right. Other numbers stay: times, ids of builds and traces.
func withoutCards(s string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '3' || s[i] > '6' || i > 0 && joined(s[i-1]) {
			continue
		}
		if n := card(s[i:]); n > 0 {
			b.WriteString(s[done:i])
			b.WriteString(Redacted)
			i += n - 1
			done = i + 1
		}
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// joined says that a character makes one word with a digit beside it.
func joined(c byte) bool {
	return c == '_' || c == '-' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// layouts are the groups of digits in which card numbers are written, by how many digits there are.
var layouts = map[int][]int{16: {4, 4, 4, 4}, 15: {4, 6, 5}, 14: {4, 6, 4}}

// card is how many bytes at the beginning of s are the number of a card; 0 if none are.
func card(s string) int {
	var digits [17]byte
	n, at, groups, size := 0, 0, [5]int{}, 0
	sep := byte(0)
scan:
	for at < len(s) && n < len(digits) {
		c := s[at]
		switch {
		case c >= '0' && c <= '9':
			digits[n] = c - '0'
			n++
			groups[size]++
		case (c == ' ' || c == '-') && (sep == 0 || sep == c) && size < 3 && groups[size] <= 6 && at+1 < len(s) && s[at+1] >= '0' && s[at+1] <= '9' && n < 16:
			sep = c
			size++
		default:
			break scan
		}
		at++
	}
	want := layouts[n]
	if want == nil || at < len(s) && (joined(s[at]) && s[at] != '.' || s[at] == '.' && at+1 < len(s) && joined(s[at+1])) {
		return 0
	}
	if sep != 0 {
		for i, w := range want {
			if groups[i] != w {
				return 0
			}
		}
	}
	if !issued(digits[:n]) || !luhn(digits[:n]) {
		return 0
	}
	return at
}

// issued says whether a number is of the range of an issuer that has cards of so many digits.
func issued(d []byte) bool {
	two := int(d[0])*10 + int(d[1])
	four := two*100 + int(d[2])*10 + int(d[3])
	switch len(d) {
	case 16: // Visa, Mastercard, JCB, Discover, UnionPay
		return d[0] == 4 || two >= 51 && two <= 55 || four >= 3528 && four <= 3589 || four == 6011 || two == 65 || four/10 >= 644 && four/10 <= 649 || two == 62
	case 15: // American Express
		return two == 34 || two == 37
	}
	return two == 36 || two == 38 || four/10 >= 300 && four/10 <= 305 // Diners
}

// luhn says whether the check digit is right.
func luhn(d []byte) bool {
	sum := 0
	for i, c := range d {
		v := int(c)
		if (len(d)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}
