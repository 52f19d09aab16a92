package lql

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold is the string as NFKC case folding makes it: two strings compare equal when theirs are the same.
func fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	s = strings.Map(dropIgnorable, strings.ToValidUTF8(s, "\uFFFD"))
	folder := cases.Fold()
	for range 2 {
		s = norm.NFKC.String(folder.String(norm.NFKC.String(s)))
	}
	return strings.Map(cherokee, s)
}

// cherokee gives Cherokee's small letters their capitals, which is what they fold to: the text packages fold each to the
// other.
func cherokee(r rune) rune {
	switch {
	case r >= 0xAB70 && r <= 0xABBF:
		return r - 0xAB70 + 0x13A0
	case r >= 0x13F8 && r <= 0x13FD:
		return r - 8
	}
	return r
}

// dropIgnorable drops the code points that have the property Default_Ignorable_Code_Point, such as the soft hyphen; the
// text packages keep them.
func dropIgnorable(r rune) rune {
	switch {
	case r < 0xAD:
		return r
	case unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r), unicode.Is(unicode.Variation_Selector, r):
		return -1
	case !unicode.Is(unicode.Cf, r):
		return r
	case unicode.Is(unicode.Prepended_Concatenation_Mark, r), r >= 0xFFF9 && r <= 0xFFFB, r >= 0x13430 && r <= 0x1343F:
		return r
	}
	return -1
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// equals says whether s folds to the constant.
func (k *constant) equals(s string) bool {
	if !isASCII(s) {
		return fold(s) == k.folded
	}
	return len(s) == len(k.folded) && equalLower(s, k.folded)
}

// equalLower says whether s, in lower case, is low; both are ASCII of the same length.
func equalLower(s, low string) bool {
	for i := 0; i < len(low); i++ {
		if lower(s[i]) != low[i] {
			return false
		}
	}
	return true
}

// in says whether what s folds to contains the constant.
func (k *constant) in(s string) bool {
	if !isASCII(s) {
		return strings.Contains(fold(s), k.folded)
	}
	if !k.ascii {
		return false
	}
	return indexLower(s, k.folded) >= 0
}

// indexLower is where low first stands in s in any case, or -1; both are ASCII, low in lower case.
func indexLower(s, low string) int {
	if len(low) == 0 {
		return 0
	}
	first := low[0]
	upper := first
	if first >= 'a' && first <= 'z' {
		upper -= 'a' - 'A'
	}
	for i := 0; i+len(low) <= len(s); i++ {
		if c := s[i]; (c == first || c == upper) && equalLower(s[i+1:], low[1:]) {
			return i
		}
	}
	return -1
}
