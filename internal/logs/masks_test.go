package logs

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestMasks holds what is written in assembly, and what stands in for it elsewhere, to the bytes themselves.
func TestMasks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.SampledFrom([]byte("\"\\a!#[]\x00\x7f\x80\xa2\xdc\xff")), 0, 300).Draw(t, "raw")
		raw = raw[:len(raw)/64*64]
		blocks := len(raw) / 64
		quotes, slashes := make([]uint64, blocks+1), make([]uint64, blocks+1)
		for i, c := range raw {
			switch c {
			case '"':
				quotes[i/64] |= 1 << (i % 64)
			case '\\':
				slashes[i/64] |= 1 << (i % 64)
			}
		}
		wide := bytes.ContainsFunc(raw, func(r rune) bool { return r >= 0x80 })
		for name, do := range map[string]func(raw []byte, quotes, slashes []uint64) uint64{"here": blockMasks, "anywhere": masksAnywhere} {
			q, s := make([]uint64, blocks+1), make([]uint64, blocks+1)
			w := do(raw, q, s)
			for i := range q {
				if q[i] != quotes[i] || s[i] != slashes[i] {
					t.Fatalf("%s, block %d of %q: quotes %x, slashes %x; want %x, %x", name, i, raw, q[i], s[i], quotes[i], slashes[i])
				}
			}
			if (w != 0) != wide {
				t.Fatalf("%s: %q has what is not ASCII: %v, want %v", name, raw, w != 0, wide)
			}
		}
	})
}

// TestMinute reads times of the same few minutes, well written and not, as ParseTime does.
func TestMinute(t *testing.T) {
	var m minute
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"2026-11-01T00:00:", "2026-11-01T00:01:", "2024-02-29T23:59:", "2026-02-30T00:00:", "2026-11-01T0:00:0", "2026-11-01t00:00:"}).Draw(t, "minute") +
			rapid.SampledFrom([]string{"00", "07", "59", "60", "1", ".5", "5a", "123"}).Draw(t, "second") +
			rapid.SampledFrom([]string{"", ".", ".5", ".000000001", ".999999999", ".1234567890", ",5", ".x"}).Draw(t, "fraction") +
			rapid.SampledFrom([]string{"Z", "Z", "z", "+01:00", "", "ZZ"}).Draw(t, "zone")
		if got, want := m.parse(text), ParseTime(text); got != want {
			t.Fatalf("%q is %v, want %v", text, got, want)
		}
	})
}
