package sources

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"tocsin/internal/logs"
)

// generationBits is how far the running number of the files that had the same path is shifted in a batch's Offset, so that
// the same place in a file and in the one that took its name is not the same identity.
const generationBits = 40

// headBytes is how many first bytes of a file tell it from another that took its place.
const headBytes = 1024

// fileID is what stays the same when a file is renamed.
type fileID struct{ dev, ino uint64 }

func idOf(info fs.FileInfo) fileID {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}
	}
	return fileID{dev: uint64(st.Dev), ino: st.Ino} //nolint:unconvert // Dev is an int32 on other systems
}

// stream is one file that is followed, wherever it is moved to.
type stream struct {
	path       string // where it was first found; Batch.File
	id         fileID
	generation int64
	offset     int64
	head       string // hex of a hash over the first headLen bytes
	headLen    int64
	skip       bool // offset is within a line that was cut

	f        *os.File
	size     int64
	still    time.Time // since when size is what it is
	atEnd    bool
	away     bool // another file, or none, is at path
	finished bool // read to its end and closed
}

func (s *stream) open(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	info, err := f.Stat()
	if err == nil && idOf(info) != s.id {
		err = errors.New("it was replaced while it was opened")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("open: %w", err), f.Close())
	}
	s.f = f
	return nil
}

func (s *stream) close() {
	if s.f != nil {
		s.f.Close()
		s.f = nil
	}
}

// next reads the next batch; nil if there is none. moved says that there may be more at once. last says that the file will not
// grow.
func (s *stream) next(buf *[]byte, now time.Time, last bool) (b *logs.Batch, moved bool, err error) {
	if err := s.measure(now); err != nil {
		return nil, false, err
	}
	end := last || s.away && now.Sub(s.still) >= fileSettle
	for s.offset < s.size {
		chunk := (*buf)[:min(int64(len(*buf)), s.size-s.offset)]
		n, err := s.f.ReadAt(chunk, s.offset)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, false, fmt.Errorf("read at %d: %w", s.offset, err)
		}
		p := cutLines(chunk[:n], s.skip, end && s.offset+int64(n) >= s.size)
		if p.used == 0 {
			if n == len(*buf) && n < lineBytes {
				*buf = make([]byte, lineBytes)
				continue
			}
			break // the last line has no end yet
		}
		if p.data != nil {
			b = &logs.Batch{Data: p.data, File: s.path, Offset: s.generation<<generationBits + s.offset + int64(p.skipped)}
		}
		s.offset += int64(p.used)
		s.skip = p.cut
		s.atEnd = false
		return b, true, s.mark()
	}
	s.atEnd = true
	if last || s.away && now.Sub(s.still) >= fileLinger {
		s.finished = true
		s.close()
	}
	return nil, false, nil
}

// reopen goes on with a file that was read to its end, now found at path, if it is the same one.
func (s *stream) reopen(path string) bool {
	if s.open(path) != nil {
		return false
	}
	head, err := headOf(s.f, s.headLen)
	if err != nil || s.headLen > 0 && head != s.head {
		s.close()
		return false
	}
	s.finished = false
	return true
}

// measure takes the file's size, and starts afresh in a file that was truncated, also when it has since grown past where it
// was read to.
func (s *stream) measure(now time.Time) error {
	info, err := s.f.Stat()
	if err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	size := info.Size()
	if size == s.size && size >= s.offset {
		return nil
	}
	s.size, s.still = size, now
	same := size >= s.offset
	if same && s.headLen > 0 {
		head, err := headOf(s.f, s.headLen)
		if err != nil {
			return err
		}
		same = head == s.head
	}
	if !same {
		s.generation++
		s.offset, s.skip, s.head, s.headLen = 0, false, "", 0
	}
	return nil
}

// mark keeps the hash of the file's first bytes, as far as they were read.
func (s *stream) mark() error {
	n := min(s.offset, headBytes)
	if n == s.headLen {
		return nil
	}
	head, err := headOf(s.f, n)
	if err != nil {
		return err
	}
	s.head, s.headLen = head, n
	return nil
}

func headOf(f *os.File, n int64) (string, error) {
	b := make([]byte, n)
	got, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read its first bytes: %w", err)
	}
	sum := sha256.Sum256(b[:got])
	return hex.EncodeToString(sum[:8]), nil
}

// fileCursor is the cursor of kind file.
type fileCursor struct {
	Kind  string              `json:"kind"`
	Files []savedFile         `json:"files"`
	Gone  map[string]goneFile `json:"gone,omitempty"`
}

type savedFile struct {
	Path       string `json:"path"`
	Dev        uint64 `json:"dev"`
	Inode      uint64 `json:"inode"`
	Offset     int64  `json:"offset"`
	Generation int64  `json:"generation,omitempty"`
	Head       string `json:"head,omitempty"`
	HeadBytes  int64  `json:"head_bytes,omitempty"`
	Skip       bool   `json:"skip,omitempty"`
}

// goneFile remembers the last file of a path at which there is none now.
type goneFile struct {
	Generation int64     `json:"generation"`
	Since      time.Time `json:"since"`
}

// cursor is where all files have been read to.
func (f *follower) cursor() logs.Cursor {
	c := fileCursor{Kind: "file", Gone: f.gone}
	for _, s := range f.streams {
		c.Files = append(c.Files, savedFile{Path: s.path, Dev: s.id.dev, Inode: s.id.ino, Offset: s.offset,
			Generation: s.generation, Head: s.head, HeadBytes: s.headLen, Skip: s.skip})
	}
	b, err := json.Marshal(c)
	if err != nil {
		return "" // not with these types: the batch just does not move the cursor
	}
	return logs.Cursor(b)
}

// resume takes up the files where the cursor left them, those too that were renamed meanwhile. A cursor of another kind is no
// cursor; one that cannot be read is an error, and reading begins at the start.
func (f *follower) resume(from logs.Cursor, now time.Time) error {
	if from == "" {
		return nil
	}
	var c fileCursor
	if err := json.Unmarshal([]byte(from), &c); err != nil {
		return fmt.Errorf("the saved cursor cannot be read, so all files are read from their start: %w", err)
	}
	if c.Kind != "file" {
		return nil
	}
	for path, g := range c.Gone {
		f.gone[path] = g
	}
	dirs := map[string]map[uint64]string{}
	for _, saved := range c.Files {
		s := saved.find(dirs)
		if s == nil || f.stream(s.id) != nil {
			f.forget(saved.Path, saved.Generation, now)
			continue
		}
		s.still = now
		f.streams = append(f.streams, s)
	}
	return nil
}

// find opens the file that was saved: at its path, or beside it under another name; nil if it is not there. The device may
// have got another number since; the first bytes must be the same.
func (v savedFile) find(dirs map[string]map[uint64]string) *stream {
	candidates := []string{v.Path}
	places := []string{filepath.Dir(v.Path)}
	if target, err := filepath.EvalSymlinks(v.Path); err == nil && filepath.Dir(target) != places[0] {
		places = append(places, filepath.Dir(target))
	}
	for _, dir := range places {
		if path := inodesIn(dir, dirs)[v.Inode]; path != "" {
			candidates = append(candidates, path)
		}
	}
	for _, path := range candidates {
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || idOf(info).ino != v.Inode || info.Size() < v.Offset {
			continue
		}
		s := &stream{path: v.Path, id: idOf(info), generation: v.Generation, offset: v.Offset, head: v.Head, headLen: v.HeadBytes, skip: v.Skip}
		if s.open(path) != nil {
			continue
		}
		if head, err := headOf(s.f, v.HeadBytes); err != nil || v.HeadBytes > 0 && head != v.Head {
			s.close()
			continue
		}
		return s
	}
	return nil
}

// inodesIn maps the inodes of a directory's regular files to their paths.
func inodesIn(dir string, dirs map[string]map[uint64]string) map[uint64]string {
	if known, ok := dirs[dir]; ok {
		return known
	}
	found := map[uint64]string{}
	entries, _ := os.ReadDir(dir) // what cannot be listed has nothing to offer
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			found[idOf(info).ino] = filepath.Join(dir, e.Name())
		}
	}
	dirs[dir] = found
	return found
}
