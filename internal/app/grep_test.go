package app

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/internal/logs"
	"tocsin/internal/lql"
)

// TestGrepMappedAsRead holds a file that is looked through where it lies against the same bytes from a pipe.
func TestGrepMappedAsRead(t *testing.T) {
	line := func(i int) string {
		return fmt.Sprintf(`{"insertId":"%d","jsonPayload":{"msg":"number %d","level":"%s"},"logName":"projects/p/logs/x"}`+"\n", i, i, []string{"info", "error"}[i%2])
	}
	var many strings.Builder
	for i := range 25_000 {
		many.WriteString(line(i))
	}
	long := `{"insertId":"long","jsonPayload":{"level":"error","msg":"` + strings.Repeat("x", logs.MaxLine) + `"},"logName":"x"}` + "\n"
	document := `[` + "\n" + `{"insertId":"b","jsonPayload":{"level":"error"},"timestamp":"2026-01-02T00:00:00Z"},` + "\n" +
		`{"insertId":"a","jsonPayload":{"level":"error"},"timestamp":"2026-01-01T00:00:00Z"}]` + "\n"
	for name, text := range map[string]string{
		"lines":                                  many.String(),
		"no newline at end":                      many.String() + strings.TrimSpace(line(1)),
		"carriage returns":                       strings.ReplaceAll(line(1)+line(2)+line(3), "\n", "\r\n"),
		"blank lines":                            "\n \n" + line(1) + "\n\t\r\n" + line(3),
		"byte order mark":                        "\xef\xbb\xbf" + line(1) + line(2),
		"an array":                               document,
		"an array behind lines, lines behind it": many.String() + document + many.String(),
		"an answer":                              `{"entries":[{"insertId":"a","jsonPayload":{"level":"error"}}],"nextPageToken":"x"}` + "\n" + line(1),
		"an object over lines":                   line(1) + "{\n\"jsonPayload\":{\"level\":\"error\"}\n}\n" + line(3),
		"plain lines that begin like an envelope": strings.Repeat(`{"message":"m","level":"error"}`+"\n"+`{"message":"cut`+"\n", 3) + line(1),
		"a line that is too long":                 line(1) + long + line(3),
		"text":                                    "level error\n[text] {\n" + `"error"` + "\n",
		"nothing but a newline":                   "\n",
		"empty":                                   "",
	} {
		path := filepath.Join(t.TempDir(), "entries")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, filter := range []string{`jsonPayload.level="error"`, `jsonPayload.level=~"^err"`, `"error"`, ``, `jsonPayload.msg="number 24999" OR insertId=long`} {
			var want, got bytes.Buffer
			wanted, err := Grep(t.Context(), filter, nil, strings.NewReader(text), &want, nil)
			if err != nil {
				t.Fatal(err)
			}
			n, err := Grep(t.Context(), filter, []string{path}, nil, &got, nil)
			if err != nil || n != wanted || !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("%s: %q found %d, from a pipe %d; error %v; the same bytes: %v", name, filter, n, wanted, err, bytes.Equal(got.Bytes(), want.Bytes()))
			}
			if n, err := Grep(t.Context(), filter, []string{path}, nil, nil, nil); err != nil || n != wanted {
				t.Errorf("%s: %q counted %d, found %d; error %v", name, filter, n, wanted, err)
			}
		}
	}
}

// TestGrepOfAFileThatShrinks would crash if reading what was cut off were not caught.
func TestGrepOfAFileThatShrinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "entries")
	if err := os.WriteFile(path, bytes.Repeat([]byte("text\n"), 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := openMapped(path)
	if err != nil || m == nil {
		t.Skipf("no mapping here: %v", err)
	}
	defer m.close()
	if err := os.Truncate(path, 4096); err != nil {
		t.Fatal(err)
	}
	n, err := m.grep(t.Context(), mustSet(t, `"absent"`), nil)
	if err == nil || !strings.Contains(err.Error(), "cut short") {
		t.Errorf("%d found, error %v", n, err)
	}
}

func mustSet(t *testing.T, filter string) *lql.Set {
	t.Helper()
	f, err := lql.Parse(filter)
	if err != nil {
		t.Fatal(err)
	}
	return lql.Compile([]*lql.Filter{f})
}

// TestGrepRemarks hears of a trap in the filter always, and of the broken lines that had to be read.
func TestGrepRemarks(t *testing.T) {
	text := `{"jsonPayload":{"level":"failed"},"logName":"x"}` + "\n" + `{"jsonPayload":{"level":"failed` + "\n" + `{"jsonPayload":{"level":"cut` + "\n"
	path := filepath.Join(t.TempDir(), "entries")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		filter string
		want   []string
	}{
		{`"failed"`, []string{"1 of the entries that had to be read were broken"}},
		{``, []string{"2 of the entries that had to be read were broken"}},
		{`severity=WARN`, []string{"severity"}},
		{`jsonPayload.level="failed" and`, []string{"AND"}},
	} {
		for name, paths := range map[string][]string{"mapped": {path}, "read": nil} {
			var heard []string
			if _, err := Grep(t.Context(), c.filter, paths, strings.NewReader(text), nil, func(s string) { heard = append(heard, s) }); err != nil {
				t.Fatal(err)
			}
			all := strings.Join(heard, "\n")
			for _, want := range c.want {
				if !strings.Contains(all, want) {
					t.Errorf("%s: %q was told %q, want %q in it", name, c.filter, heard, want)
				}
			}
		}
	}
}

// TestGrepTellsNesting has an entry that is whole but too deep told as such.
func TestGrepTellsNesting(t *testing.T) {
	text := `{"jsonPayload":{"x":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + "}}\n"
	var heard string
	if _, err := Grep(t.Context(), "", nil, strings.NewReader(text), nil, func(s string) { heard += s }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(heard, "1 of the entries") || !strings.Contains(heard, "nested too deep") {
		t.Errorf("was told %q", heard)
	}
}

// TestFilterErrorPlace shows the place of a mistake: around it in a long line, below tabs as they are, beside escapes.
func TestFilterErrorPlace(t *testing.T) {
	long := strings.Repeat("textPayload:a ", 500)
	for filter, want := range map[string]string{
		"severity==ERROR":                          "  severity==ERROR\n           ^",
		"\tseverity==ERROR":                        "  \tseverity==ERROR\n  \t         ^",
		"\"\x1b[31m\" severity==ERROR":             `  "\x1b[31m" severity==ERROR` + "\n" + strings.Repeat(" ", 2+20) + "^",
		long + "severity==ERROR " + long:           "  ..." + (long + "severity=")[len(long)+9-60:] + "=ERROR " + long[:33] + "...\n  " + strings.Repeat(" ", 63) + "^",
		"textPayload:a\n" + long + "severity==ERR": "  ..." + (long + "severity=")[len(long)+9-60:] + "=ERR\n  " + strings.Repeat(" ", 63) + "^",
	} {
		_, err := Grep(t.Context(), filter, nil, strings.NewReader(""), nil, nil)
		if err == nil {
			t.Errorf("%q gave no error", filter)
			continue
		}
		_, got, _ := strings.Cut(err.Error(), "\n")
		if got != want {
			t.Errorf("%.40q\ngot\n%s\nwant\n%s", filter, got, want)
		}
	}
}
