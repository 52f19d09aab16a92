package logs

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/klauspost/compress/zstd"
)

// readAll is all that a stream yields, its lines, and the error that ended it.
func readAll(next func() (Batch, error)) (data string, batches int, err error) {
	var b strings.Builder
	for {
		batch, err := next()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return b.String(), batches, err
		}
		if len(batch.Data) == 0 {
			return b.String(), batches, errors.New("a batch without data")
		}
		if batch.Offset != int64(b.Len()) {
			return b.String(), batches, fmt.Errorf("a batch has offset %d at %d", batch.Offset, b.Len())
		}
		batches++
		b.Write(batch.Data)
	}
}

func message(text string) string {
	return `{"message":{"data":"` + base64.StdEncoding.EncodeToString([]byte(text)) + `","messageId":"1"},"subscription":"s"}`
}

func TestReaderForms(t *testing.T) {
	older := `{"timestamp":"2019-01-23T12:00:00Z","textPayload":"old"}`
	newer := `{"timestamp":"2019-01-23T12:00:01Z","textPayload":"new"}`
	newest := `{"timestamp":"2019-01-23T12:00:02Z","textPayload":"newest"}`
	pretty := func(s string) string {
		return strings.NewReplacer(`{"`, "{\n  \"", `,"`, ",\n  \"", `"}`, "\"\n}").Replace(s)
	}
	for _, tt := range []struct{ name, in, want string }{
		{"lines as they are", older + " \n\n" + newer + "\r\nplain\n\tindented", older + " \n\n" + newer + "\r\nplain\n\tindented"},
		{"a byte order mark", "\xef\xbb\xbf" + older + "\n", older + "\n"},
		{"an array, newest first", "[\n" + pretty(newer) + ",\n" + pretty(older) + "\n]\n", older + "\n" + newer + "\n"},
		{"an array, oldest first", "[" + older + "," + newer + "]", older + "\n" + newer + "\n"},
		{"an array without order", "[" + newer + "," + older + "," + newest + "]", newer + "\n" + older + "\n" + newest + "\n"},
		{"an array with equal times is turned whole", "[" + newer + `,{"timestamp":"2019-01-23T12:00:01Z","textPayload":"b"},` + older + "]",
			older + "\n" + `{"timestamp":"2019-01-23T12:00:01Z","textPayload":"b"}` + "\n" + newer + "\n"},
		{"an empty array", "[]\n", ""},
		{"an array, then lines", "[" + newer + "," + older + "]\nplain\n", older + "\n" + newer + "\nplain\n"},
		{"a cut array", "[\n" + pretty(newer) + ",\n" + pretty(older) + ",\n{\n  \"timest", older + "\n" + newer + "\n" + "{   \"timest" + "\n"},
		{"white space in strings stays", "[{\"textPayload\": \"a  b\\n \\\" c\"}]", `{"textPayload":"a  b\n \" c"}` + "\n"},
		{"an answer", `{"entries": [` + newer + ", " + older + `], "nextPageToken": "x"}`, older + "\n" + newer + "\n"},
		{"pages of an answer", `{"entries":[` + newest + "," + newer + `],"nextPageToken":"x"}` + "\n" + `{"entries":[` + older + `]}`, older + "\n" + newer + "\n" + newest + "\n"},
		{"a pretty answer", "{\n  \"entries\": [\n" + pretty(older) + "\n  ],\n  \"nextPageToken\": \"x\"\n}\n", older + "\n"},
		{"an answer without entries", `{"nextPageToken":"x"}` + "\n", ""},
		{"an object that only looks like an answer", `{"entries":[1],"x":2}` + "\n", `{"entries":[1],"x":2}` + "\n"},
		{"a pushed message", message(older) + "\n" + message("plain"), older + "\nplain\n"},
		{"a message with lines of text", message("a\nb") + "\n", `{"textPayload":"a\nb"}` + "\n"},
		{"pulled messages", `{"receivedMessages":[{"ackId":"1",` + message(older)[1:] + `,{"ackId":"2",` + message(newer)[1:] + `]}`, older + "\n" + newer + "\n"},
		{"a message without data stays", `{"message":{"attributes":{"a":"b"}}}` + "\n", `{"message":{"attributes":{"a":"b"}}}` + "\n"},
		{"a message with bad data stays", `{"message":{"data":"%%%"}}` + "\n", `{"message":{"data":"%%%"}}` + "\n"},
		{"a log line whose first name is message", `{"message": "hello", "level": "error"}` + "\r\n", `{"message": "hello", "level": "error"}` + "\r\n"},
		{"a broken line whose first name is message", `{"message": "hel` + "\n" + older + "\n", `{"message": "hel` + "\n" + older + "\n"},
		{"pretty objects", pretty(older) + "\n" + pretty(newer) + "\n", older + "\n" + newer + "\n"},
		{"a brace that opens nothing", "{\nfoo\n}\n", "{\nfoo\n}\n"},
		{"a bracket that opens nothing", "[\nfoo\n]\n", "[\nfoo\n]\n"},
		{"text in brackets", "[{x}] foo\n[GIN] 200\n", "[{x}] foo\n[GIN] 200\n"},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, size := range []int{1, 70, 0} {
				for name, in := range map[string]io.Reader{"whole": strings.NewReader(tt.in), "by byte": iotest.OneByteReader(strings.NewReader(tt.in)),
					"with its end": iotest.DataErrReader(strings.NewReader(tt.in))} {
					r := NewReader(in, "f", ReaderOptions{Size: size})
					got, _, err := readAll(r.Next)
					if err != nil || got != tt.want {
						t.Fatalf("size %d, %s: %v\ngot  %q\nwant %q", size, name, err, got, tt.want)
					}
				}
			}
		})
	}
}

func TestReaderSizes(t *testing.T) {
	in := strings.Repeat("0123456789\n", 1000)
	for size, want := range map[int]int{1: 1000, 11: 1000, 12: 500, 110: 100, 0: 1} {
		if _, n, err := readAll(NewReader(strings.NewReader(in), "f", ReaderOptions{Size: size}).Next); n != want || err != nil {
			t.Errorf("size %d: %d batches, want %d (%v)", size, n, want, err)
		}
	}
}

func TestReaderLive(t *testing.T) {
	pr, pw := io.Pipe()
	r := NewReader(pr, "f", ReaderOptions{Live: true})
	for _, line := range []string{"first\n", "second\n"} {
		go func() { _, _ = pw.Write([]byte(line)) }()
		b, err := r.Next()
		if err != nil || string(b.Data) != line {
			t.Fatalf("got %q, %v; want %q at once", b.Data, err, line)
		}
	}
}

func TestReaderCompressed(t *testing.T) {
	want := strings.Repeat("a line\n", 100000)
	var zipped, zstded bytes.Buffer
	gz := gzip.NewWriter(&zipped)
	zs, err := zstd.NewWriter(&zstded)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []io.WriteCloser{gz, zs} {
		if _, err := io.WriteString(w, want); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range map[string][]byte{"gz": zipped.Bytes(), "zst": zstded.Bytes(), "two gz": append(bytes.Clone(zipped.Bytes()), zipped.Bytes()...)} {
		got, _, err := readAll(NewReader(bytes.NewReader(data), name, ReaderOptions{}).Next)
		if err != nil || strings.ReplaceAll(got, want, "") != "" || got == "" {
			t.Errorf("%s: %v, %d bytes", name, err, len(got))
		}
		cut := data[:len(data)-5]
		got, _, err = readAll(NewReader(bytes.NewReader(cut), name, ReaderOptions{}).Next)
		if err == nil || !strings.Contains(err.Error(), "read "+name) {
			t.Errorf("%s, cut: the error is %v after %d bytes", name, err, len(got))
		}
	}
}

func TestReaderLongLine(t *testing.T) {
	in := "short\n" + strings.Repeat("x", 3*MaxLine) + "\nafter\n"
	r := NewReader(strings.NewReader(in), "f", ReaderOptions{})
	got, _, err := readAll(r.Next)
	if want := "short\n" + strings.Repeat("x", MaxLine) + "\nafter\n"; got != want || err != nil {
		t.Fatalf("%d bytes, want %d (%v)", len(got), len(want), err)
	}
	var broken []bool
	p := Batch{Data: []byte(got)}.Entries(time.Time{}, func(e *Entry) bool {
		broken = append(broken, e.Broken)
		return true
	})
	if p.Entries != 3 || p.Broken != 1 || !broken[1] {
		t.Errorf("%+v, broken %v: the line in the middle was cut", p, broken)
	}
}

// TestReaderHostile would take hours if each bracket looked through the rest of the file anew.
func TestReaderHostile(t *testing.T) {
	for name, in := range map[string]string{
		"brackets":  strings.Repeat("[\n", 200000),
		"braces":    strings.Repeat("{\n\"a\":", 100000),
		"strings":   strings.Repeat("{\n\"a\n", 100000),
		"numbers":   "[{\"a\":[\n" + strings.Repeat("{\n\"b\":1},\n", 100000),
		"messages":  strings.Repeat("{\"message\":\n", 100000),
		"elements":  "[" + strings.Repeat("{},\n", 200000),
		"two words": strings.Repeat("[{}\n{}]\n", 100000),
	} {
		if _, _, err := readAll(NewReader(strings.NewReader(in), "f", ReaderOptions{}).Next); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMerge(t *testing.T) {
	line := func(second int, name string) string {
		return fmt.Sprintf(`{"timestamp":"2019-01-23T12:00:%02dZ","textPayload":%q}`+"\n", second, name)
	}
	a := "before\n" + line(1, "a1") + line(3, "a3") + "stack of a3\n" + line(2, "a2, late") + line(5, "a5")
	b := line(2, "b2") + line(3, "b3") + line(4, "b4") + line(5, "b5") + line(6, "b6")
	want := "before\n" + line(1, "a1") + line(2, "b2") + line(3, "a3") + "stack of a3\n" + line(2, "a2, late") + line(3, "b3") + line(4, "b4") +
		line(5, "a5") + line(5, "b5") + line(6, "b6")
	for _, size := range []int{1, 100, 0} {
		o := ReaderOptions{Size: size, Received: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
		m := Merge(NewReader(strings.NewReader(a), "a", o), NewReader(strings.NewReader(b), "b", o), NewReader(strings.NewReader(""), "c", o))
		var got strings.Builder
		for {
			batch, err := m.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			whole := map[string]string{"a": a, "b": b}[batch.File]
			if at := whole[batch.Offset:]; !strings.HasPrefix(at, string(batch.Data)) {
				t.Errorf("the batch of %s at %d is not what stands there: %q", batch.File, batch.Offset, batch.Data)
			}
			got.Write(batch.Data)
		}
		if got.String() != want {
			t.Errorf("size %d:\n%s\nwant\n%s", size, got.String(), want)
		}
	}
	broken := Merge(NewReader(strings.NewReader(a), "a", ReaderOptions{}), NewReader(iotest.ErrReader(errors.New("gone")), "b", ReaderOptions{}))
	if _, err := broken.Next(); err == nil || err.Error() != "read b: gone" {
		t.Errorf("the error is %v", err)
	}
}
