package sources

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/logs"
)

func stdin(t *testing.T, in io.Reader) Source {
	t.Helper()
	s, err := (&Stdin{In: in}).New("in", Env{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStdin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		p := open(t, stdin(t, r), "")
		defer p.stop()
		write := func(text string) {
			if _, err := io.WriteString(w, text); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		write("a\nb")
		wantText(t, p, "a\n")
		if p.caughtUp() {
			t.Error("caught up while more may be waiting")
		}
		p.wait(time.Second)
		if !p.caughtUp() {
			t.Error("not caught up though nothing came for a second")
		}
		write("c\nlast")
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		p.wait(time.Hour)
		wantText(t, p, "a\nbc\nlast\n")
		if !p.caughtUp() {
			t.Error("not caught up at the end")
		}
		var offsets []int64
		for _, b := range p.batches() {
			if b.Data != nil {
				offsets = append(offsets, b.Offset)
			}
		}
		if diff := cmp.Diff([]int64{0, 2, 5}, offsets); diff != "" {
			t.Errorf("offsets (-want +got):\n%s", diff)
		}
	})
}

// What a Read did not hand over is there for the next one.
func TestStdinAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := io.Pipe()
		spec := &Stdin{In: r}
		again := func() Source {
			src, err := spec.New("in", Env{})
			if err != nil {
				t.Fatal(err)
			}
			return src
		}
		p := open(t, again(), "")
		go io.WriteString(w, "a\nhalf a li")
		synctest.Wait()
		p.stop()
		p = open(t, again(), "")
		defer p.stop()
		go func() {
			io.WriteString(w, "ne\n")
			w.CloseWithError(errors.New("the disk is on fire"))
		}()
		synctest.Wait()
		wantText(t, p, "half a line\n")
		if err := <-p.ended; err == nil || !strings.Contains(err.Error(), "read standard input: the disk is on fire") {
			t.Errorf("Read returned %v", err)
		}
		p.stopped = true
	})
}

func TestCutLines(t *testing.T) {
	long := strings.Repeat("x", lineBytes+10)
	tests := map[string]struct {
		buf       string
		skip, end bool
		want      string
	}{
		"whole lines":          {"a\nb\nc", false, false, `"a\nb\n" skipped 0 used 4 cut false`},
		"no end yet":           {"abc", false, false, `"" skipped 0 used 0 cut false`},
		"the end":              {"abc", false, true, `"abc\n" skipped 0 used 3 cut false`},
		"nothing":              {"", false, true, `"" skipped 0 used 0 cut false`},
		"the rest of one":      {"rest\nb\n", true, false, `"b\n" skipped 5 used 7 cut false`},
		"only the rest":        {"rest", true, false, `"" skipped 4 used 4 cut true`},
		"the rest and no more": {"rest\n", true, false, `"" skipped 5 used 5 cut false`},
		"too long":             {long, false, false, `"xxx" skipped 0 used 1048575 cut true`},
		"lines before a long":  {"a\n" + long, false, false, `"a\n" skipped 0 used 2 cut false`},
		"no text at all":       {strings.Repeat("\x80", lineBytes), false, false, `"\x80\x80\x80" skipped 0 used 1048572 cut true`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := cutLines([]byte(tt.buf), tt.skip, tt.end)
			data := string(p.data)
			if len(data) > 100 {
				data = data[:3]
			}
			got := fmt.Sprintf("%q skipped %d used %d cut %v", data, p.skipped, p.used, p.cut)
			if got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// However the bytes arrive, the same lines come out.
func FuzzStdin(f *testing.F) {
	f.Add("a\n\nb\r\n\xff\x00c", uint8(1))
	f.Add(strings.Repeat("long ", 100)+"\nend", uint8(7))
	f.Fuzz(func(t *testing.T, in string, step uint8) {
		synctest.Test(t, func(t *testing.T) {
			p := open(t, stdin(t, &stepReader{in: in, step: int(step) + 1}), logs.Cursor(""))
			p.wait(time.Second)
			p.stop()
			want := in
			if want != "" && !strings.HasSuffix(want, "\n") {
				want += "\n"
			}
			wantText(t, p, want)
		})
	})
}

// stepReader yields a few bytes at a time.
type stepReader struct {
	in   string
	step int
}

func (r *stepReader) Read(b []byte) (int, error) {
	if r.in == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), r.step)], r.in)
	r.in = r.in[n:]
	return n, nil
}
