package lql

import (
	"bytes"
	"strings"
	"sync"
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
	if short, ok := appendFold(nil, s); ok {
		return string(short)
	}
	s = strings.Map(dropIgnorable, strings.ToValidUTF8(s, "\uFFFD"))
	folder := cases.Fold()
	for range 2 {
		s = norm.NFKC.String(folder.String(norm.NFKC.String(s)))
	}
	return strings.Map(cherokee, s)
}

// quickFold is what each character below U+0530 (Latin, Greek, Cyrillic) folds to, but for the marks that combine with the
// character before them: those have no entry, an empty one is dropped.
var quickFold = sync.OnceValue(func() *[0x530][]byte {
	var table [0x530][]byte
	folder := cases.Fold()
	for r := range rune(len(table)) {
		if unicode.Is(unicode.M, r) {
			continue
		}
		s := strings.Map(dropIgnorable, string(r))
		for range 2 {
			s = norm.NFKC.String(folder.String(norm.NFKC.String(s)))
		}
		table[r] = append([]byte{}, s...)
		if strings.IndexFunc(s, func(r rune) bool { return unicode.Is(unicode.M, r) }) >= 0 {
			table[r] = nil // what stands before it decides
		}
	}
	return &table
})

// appendFold appends what s folds to; false if it holds other than the characters of quickFold.
func appendFold(b []byte, s string) ([]byte, bool) {
	table := quickFold()
	for i := 0; i < len(s); {
		if c := s[i]; c < utf8.RuneSelf {
			b = append(b, lower(c))
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= rune(len(table)) || table[r] == nil {
			return b, false
		}
		b = append(b, table[r]...)
		i += size
	}
	return b, true
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
	for i := range len(s) {
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

const (
	// longText is how many bytes of text are worth remembering what they fold to.
	longText = 4096
	// foldsKept is how many bytes of such text are remembered.
	foldsKept = 2 << 20
)

// folded remembers what texts of an entry fold to: a filter may ask thousands of times of one, and folding takes milliseconds
// for a text of 256 KiB.
type folded struct {
	texts map[string]string
	size  int
}

var foldedTexts = sync.Pool{New: func() any { return &folded{texts: map[string]string{}} }}

// foldText is fold for the text of an entry.
func foldText(s string) string {
	if len(s) < 64 {
		return fold(s)
	}
	m := foldedTexts.Get().(*folded)
	defer foldedTexts.Put(m)
	out, ok := m.texts[s]
	if ok {
		return out
	}
	s = strings.Clone(s) // it may share memory that is soon another's, and what it folds to may be s itself
	out = fold(s)
	if m.size += len(s) + len(out); m.size > foldsKept {
		clear(m.texts)
		m.size = len(s) + len(out)
	}
	m.texts[s] = out
	return out
}

// equals says whether s folds to the constant.
func (k *constant) equals(s string) bool {
	if !isASCII(s) {
		return foldText(s) == k.folded
	}
	return len(s) == len(k.folded) && equalLower(s, k.folded) == len(s)
}

// equalLower is how many bytes of s, in lower case, are those that low begins with; both are ASCII.
func equalLower(s, low string) int {
	n := min(len(s), len(low))
	for i := range n {
		if lower(s[i]) != low[i] {
			return i
		}
	}
	return n
}

// in says whether what s folds to contains the constant.
func (k *constant) in(s string) bool {
	if !isASCII(s) {
		if len(s) < 64 {
			var buf [128]byte
			if b, ok := appendFold(buf[:0], s); ok {
				return bytes.Contains(b, k.bytes)
			}
		}
		return strings.Contains(foldText(s), k.folded)
	}
	if !k.ascii || len(k.folded) > len(s) {
		return false
	}
	if len(s) >= longText {
		return strings.Contains(foldText(s), k.folded)
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
	work := 0
	for i := 0; i+len(low) <= len(s); i++ {
		if c := s[i]; c != first && c != upper {
			continue
		}
		same := equalLower(s[i+1:], low[1:])
		if same == len(low)-1 {
			return i
		}
		// Text that nearly is what is looked for, again and again, would cost the product of the two lengths.
		if work += same; work > 4*len(s) {
			return strings.Index(strings.ToLower(s), low)
		}
	}
	return -1
}
