package app

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"tocsin/internal/setting"
)

// ParseDuration reads a duration as the configuration has them: 30s, 1h30m, 7d, 2w.
func ParseDuration(text string) (time.Duration, error) { return setting.ParseDuration(text) }

// PrintJSON writes v as JSON, a member a line, for programs, and for people who look at it: what would make a terminal do
// something is written as its number, which means the same to a program.
func PrintJSON(to io.Writer, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	_, err = to.Write(append(visible(b), '\n'))
	return err
}

// visible writes the control and format characters in a JSON text as \u escapes: those below U+0020 are so already. Outside of
// its strings a JSON text has none.
func visible(b []byte) []byte {
	var out []byte // b up to done, once there is anything to escape
	done := 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf-1 { // below DEL
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			out = append(out, b[done:i]...)
			if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
				out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
			} else {
				out = fmt.Appendf(out, `\u%04x`, r)
			}
			done = i + size
		}
		i += size
	}
	if done == 0 {
		return b
	}
	return append(out, b[done:]...)
}

// Visible is visible for those who print JSON themselves.
func Visible(b []byte) []byte { return visible(b) }
