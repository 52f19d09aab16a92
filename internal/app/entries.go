package app

import (
	"fmt"
	"io"
	"os"
	"time"

	"tocsin/internal/logs"
)

// Entries reads recorded entries from files, several merged by time; "-" or none is standard input. size is how many bytes a batch
// holds, 0 for the default, 1 for a line each. It returns what yields the batches, and what closes the files. With the default size the Data
// of a batch of a single file is good until the next batch.
func Entries(paths []string, stdin io.Reader, size int, received time.Time) (next func() (logs.Batch, error), closeAll func(), err error) {
	if len(paths) == 0 {
		paths = []string{"-"}
	}
	var open []io.Closer
	closeAll = func() {
		for _, c := range open {
			c.Close() // only read from
		}
	}
	var readers []*logs.Reader
	for _, path := range paths {
		o := logs.ReaderOptions{Size: size, Received: received, Lend: size == 0 && len(paths) == 1}
		if path == "-" {
			o.Live = size == 0
			readers = append(readers, logs.NewReader(stdin, "standard input", o))
			continue
		}
		f, err := os.Open(path)
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("read entries: %w", err)
		}
		open = append(open, f)
		if st, err := f.Stat(); err == nil && st.IsDir() {
			closeAll()
			return nil, nil, fmt.Errorf("read entries: %s is a directory: name the files in it", path)
		}
		readers = append(readers, logs.NewReader(f, path, o))
	}
	return logs.Merge(readers...).Next, closeAll, nil
}

// Counting shows on a terminal how far a long reading is; with none it shows nothing.
func Counting(next func() (logs.Batch, error), terminal io.Writer) func() (logs.Batch, error) {
	if terminal == nil {
		return next
	}
	read, shown, wrote := 0, time.Now(), false
	return func() (logs.Batch, error) {
		b, err := next()
		read += len(b.Data)
		if time.Since(shown) > time.Second {
			fmt.Fprintf(terminal, "\r%d MiB read ", read>>20)
			shown, wrote = time.Now(), true
		}
		if err != nil && wrote {
			fmt.Fprint(terminal, "\r\x1b[K")
		}
		return b, err
	}
}
