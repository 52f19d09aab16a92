package sources

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/logs"
	"tocsin/internal/setting"
)

// appendTo writes to the end of a file, which it makes if it has to.
func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func follow(t *testing.T, env Env, paths ...string) Source {
	t.Helper()
	s, err := (&File{Paths: paths, Follow: true}).New("prow", env)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func wantText(t *testing.T, p *tap, want string) {
	t.Helper()
	if diff := cmp.Diff(want, p.text()); diff != "" {
		t.Errorf("what was read (-want +got):\n%s", diff)
	}
}

func TestFileFollows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hook.log")
	appendTo(t, path, "one\ntwo\nthr")
	synctest.Test(t, func(t *testing.T) {
		p := open(t, follow(t, Env{}, path), "")
		defer p.stop()
		wantText(t, p, "one\ntwo\n") // at once, and only whole lines
		if !p.caughtUp() {
			t.Error("not caught up at the end of the file")
		}
		p.wait(time.Hour)
		wantText(t, p, "one\ntwo\n")
		before := len(p.batches())
		appendTo(t, path, "ee\nfour\n")
		p.wait(filePoll)
		wantText(t, p, "one\ntwo\nthree\nfour\n")
		got := p.batches()[before]
		want := logs.Batch{Source: "prow", Data: []byte("three\nfour\n"), Offset: 8, File: path, Cursor: got.Cursor, Received: got.Received, CaughtUp: true}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("batch (-want +got):\n%s", diff)
		}
	})
}

func TestFileAppearsLater(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var told ear
		env := Env{Trouble: told.hear}
		p := open(t, follow(t, env, filepath.Join(dir, "*.log")), "")
		defer p.stop()
		if !p.caughtUp() || len(told.all()) != 1 || !strings.Contains(told.all()[0], "no file yet") {
			t.Errorf("caught up %v, told %q; want true and that there is no file yet", p.caughtUp(), told.all())
		}
		appendTo(t, filepath.Join(dir, "tide.log"), "from its start\n")
		appendTo(t, filepath.Join(dir, "tide.log.gz"), "passed by\n")
		p.wait(2 * time.Second)
		wantText(t, p, "from its start\n")
		if told.last() != "<nil>" {
			t.Errorf("told %q, want nil at last", told.all())
		}
	})
}

func TestFileRotation(t *testing.T) {
	for _, glob := range []string{"hook.log", "hook.log*"} {
		t.Run(glob, func(t *testing.T) {
			dir := t.TempDir()
			path, old := filepath.Join(dir, "hook.log"), filepath.Join(dir, "hook.log.1")
			appendTo(t, path, "a\n")
			synctest.Test(t, func(t *testing.T) {
				p := open(t, follow(t, Env{}, filepath.Join(dir, glob)), "")
				defer p.stop()
				appendTo(t, path, "b\n")
				rename(t, path, old)
				appendTo(t, path, "A\n")
				p.wait(2 * time.Second)
				wantText(t, p, "a\nb\nA\n") // the old file to its end, then the new one
				appendTo(t, old, "c\nd")    // its writer has not noticed yet
				p.wait(2 * time.Second)
				wantText(t, p, "a\nb\nA\nc\n")
				p.wait(fileSettle)
				wantText(t, p, "a\nb\nA\nc\nd\n") // nobody will end that line
				p.wait(2 * fileLinger)
				appendTo(t, path, "B\n")
				p.wait(2 * time.Second)
				wantText(t, p, "a\nb\nA\nc\nd\nB\n")

				seen := map[int64]string{}
				for _, b := range p.batches() {
					if b.Data == nil {
						continue
					}
					if other, ok := seen[b.Offset]; ok && b.File == path {
						t.Errorf("%q and %q have the same file and offset %d", other, b.Data, b.Offset)
					}
					seen[b.Offset] = string(b.Data)
				}
			})
		})
	}
}

func TestFileTruncation(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hook.log")
	appendTo(t, path, "first\nsecond\n")
	synctest.Test(t, func(t *testing.T) {
		p := open(t, follow(t, Env{}, path), "")
		defer p.stop()
		if err := os.WriteFile(path, []byte("new\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		p.wait(time.Second)
		wantText(t, p, "first\nsecond\nnew\n")
		// It is truncated and grows past where it was read to, all between two looks.
		if err := os.WriteFile(path, []byte("other lines, more of them\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		p.wait(time.Second)
		wantText(t, p, "first\nsecond\nnew\nother lines, more of them\n")
		if n := len(p.batches()); p.batches()[0].Offset == p.batches()[n-1].Offset {
			t.Error("a line after the truncation has the same offset as one before")
		}
	})
}

func TestFileResumes(t *testing.T) {
	tests := map[string]struct {
		meanwhile func(t *testing.T, path string)
		want      string
	}{
		"nothing happened": {func(*testing.T, string) {}, ""},
		"it grew":          {func(t *testing.T, path string) { appendTo(t, path, "c\n") }, "c\n"},
		"it was rotated away, and grew before": {func(t *testing.T, path string) {
			appendTo(t, path, "c\n")
			rename(t, path, path+".1")
			appendTo(t, path, "d\n")
		}, "c\nd\n"},
		"it was rotated away and is gone": {func(t *testing.T, path string) {
			rename(t, path, path+".1")
			appendTo(t, path, "d\n") // before the old one goes, so that it cannot get its inode
			if err := os.Remove(path + ".1"); err != nil {
				t.Fatal(err)
			}
		}, "d\n"},
		"it was truncated": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("x\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "x\n"},
		"it was written anew, and is longer": {func(t *testing.T, path string) {
			if err := os.WriteFile(path, []byte("x\ny\nz\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "x\ny\nz\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hook.log")
			appendTo(t, path, "a\nb\n")
			synctest.Test(t, func(t *testing.T) {
				src := follow(t, Env{}, path)
				p := open(t, src, "")
				cursor := p.stop()
				tt.meanwhile(t, path)
				p = open(t, src, cursor)
				defer p.stop()
				p.wait(2 * time.Second)
				wantText(t, p, tt.want)
			})
		})
	}
}

// Whatever batch was committed last, going on from its cursor yields exactly the rest.
func TestFileResumesAfterAnyBatch(t *testing.T) {
	dir := t.TempDir()
	var want strings.Builder
	for _, name := range []string{"a.log", "b.log"} {
		for i := range 20000 {
			line := fmt.Sprintf("%s line %d of many, long enough to fill batches\n", name, i)
			want.WriteString(line)
		}
		appendTo(t, filepath.Join(dir, name), strings.ReplaceAll(want.String(), "a.log", name))
		want.Reset()
	}
	synctest.Test(t, func(t *testing.T) {
		src := follow(t, Env{}, filepath.Join(dir, "*.log"))
		whole := open(t, src, "")
		whole.stop()
		if len(whole.batches()) < 6 {
			t.Fatalf("%d batches, too few to cut between", len(whole.batches()))
		}
		for i, b := range whole.batches() {
			if len(b.Data) > batchBytes {
				t.Errorf("batch %d has %d bytes", i, len(b.Data))
			}
			if b.CaughtUp != (i == len(whole.batches())-1) {
				t.Errorf("batch %d of %d: caught up is %v", i, len(whole.batches()), b.CaughtUp)
			}
			rest := open(t, src, b.Cursor)
			rest.stop()
			lines := map[string]bool{}
			for _, before := range append(append([]logs.Batch{}, whole.batches()[:i+1]...), rest.batches()...) {
				for line := range strings.Lines(string(before.Data)) {
					if lines[line] {
						t.Fatalf("after batch %d: %q came twice", i, line)
					}
					lines[line] = true
				}
			}
			if len(lines) != 40000 {
				t.Errorf("after batch %d: %d lines in all, want 40000", i, len(lines))
			}
		}
	})
}

func TestFileLongLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hook.log")
	long := strings.Repeat("é", lineBytes) // two bytes each: twice what is kept
	fits := strings.Repeat("x", lineBytes-1)
	appendTo(t, path, "before\n"+long+"\n"+fits+"\nafter\n"+long)
	synctest.Test(t, func(t *testing.T) {
		p := open(t, follow(t, Env{}, path), "")
		cursor := p.stop()
		var got []string
		for line := range strings.Lines(p.text()) {
			got = append(got, fmt.Sprintf("%d %.6s", len(line)-1, line))
		}
		want := []string{"6 before", "1048574 éééééé", "1048575 xxxxxx", "5 after", "1048574 éééééé"}
		for i := range got {
			got[i] = strings.TrimSpace(got[i])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("lines (-want +got):\n%s", diff)
		}
		for _, b := range p.batches() {
			if strings.HasPrefix(string(b.Data), "x") && b.Offset != int64(len("before\n"+long+"\n")) {
				t.Errorf("the line behind the cut one is at %d, want %d", b.Offset, len("before\n"+long+"\n"))
			}
		}
		appendTo(t, path, " still of the line that was cut\nnext\n")
		p = open(t, follow(t, Env{}, path), cursor)
		defer p.stop()
		wantText(t, p, "next\n")
	})
}

func TestFileWithoutFollow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.log")
	appendTo(t, path, "a\nb")
	synctest.Test(t, func(t *testing.T) {
		s, err := (&File{Paths: []string{path}}).New("old", Env{})
		if err != nil {
			t.Fatal(err)
		}
		p := open(t, s, "")
		defer p.stop()
		wantText(t, p, "a\nb\n")
		appendTo(t, path, "c\n")
		p.wait(time.Hour)
		wantText(t, p, "a\nb\n")
		if !p.caughtUp() {
			t.Error("not caught up at the end")
		}
	})
}

func TestFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "a.log") // a directory in the place of a file
	if err := os.Mkdir(fifo, 0o700); err != nil {
		t.Fatal(err)
	}
	appendTo(t, filepath.Join(dir, "b.log"), "b\n")
	synctest.Test(t, func(t *testing.T) {
		var told ear
		env := Env{Trouble: told.hear}
		p := open(t, follow(t, env, fifo, filepath.Join(dir, "b.log")), "")
		defer p.stop()
		wantText(t, p, "b\n")
		if !p.last().Blind || len(told.all()) != 1 || !strings.Contains(told.all()[0], "a.log: it is no regular file") {
			t.Errorf("blind %v, told %q", p.last().Blind, told.all())
		}
		if err := os.Remove(fifo); err != nil {
			t.Fatal(err)
		}
		appendTo(t, fifo, "a\n")
		p.wait(2 * time.Second)
		wantText(t, p, "b\na\n")
		if p.last().Blind || told.last() != "<nil>" {
			t.Errorf("blind %v, told %q; want that all is well again", p.last().Blind, told.all())
		}
	})
}

func TestFileForeignCursor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "hook.log")
	appendTo(t, path, "a\n")
	for _, cursor := range []logs.Cursor{`{"kind":"cloud_logging","received":"2026-01-01T00:00:00Z"}`, "{", "\x00", `{"kind":"file","files":[{"path":"/nonexistent/x","inode":1,"offset":5}]}`} {
		synctest.Test(t, func(t *testing.T) {
			p := open(t, follow(t, Env{}, path), cursor)
			defer p.stop()
			wantText(t, p, "a\n")
		})
	}
}

// A file that got the inode of one that is done with is another file.
func TestFileInodeAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hook.log")
	appendTo(t, path, "a\n")
	synctest.Test(t, func(t *testing.T) {
		p := open(t, follow(t, Env{}, filepath.Join(dir, "*")), "")
		defer p.stop()
		rename(t, path, path+".1")
		p.wait(2 * fileLinger) // closed, and still known
		if err := os.WriteFile(path+".1", []byte("another file\n"), 0o600); err != nil {
			t.Fatal(err) // the same inode, as a file system may give it to a new file
		}
		p.wait(2 * time.Second)
		wantText(t, p, "a\nanother file\n")
	})
}

func TestFileValidate(t *testing.T) {
	tests := map[string]struct {
		settings File
		want     []setting.FieldError
	}{
		"good":    {File{Paths: []string{"/var/log/*.log"}}, nil},
		"no path": {File{}, []setting.FieldError{{Path: "paths", Text: "no path: name at least one file or glob, such as [/var/log/prow/*.log]"}}},
		"bad ones": {File{Paths: []string{"", "/var/log/[a", "/var/**/x", "x.log.gz"}}, []setting.FieldError{
			{Path: "paths.0", Text: "the path is empty"},
			{Path: "paths.1", Text: `"/var/log/[a" is not a glob: a [ has no ], or it ends in \`},
			{Path: "paths.2", Text: `"/var/**/x": ** is not known; name each level of directories with a *`},
			{Path: "paths.3", Text: `"x.log.gz" is compressed and cannot be followed; ` + "`tocsin replay` reads it"},
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.settings.Validate()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
