package sources

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tocsin/internal/logs"
	"tocsin/internal/setting"
)

// File is the settings of kind file: it reads lines from files, in any form that logs come in.
type File struct {
	// Paths are the files: names or globs (*, ?, [abc]); ** is not known. A file that appears later is read from its start.
	// Of what a glob finds, compressed files are left out: they hold what was read before they were compressed.
	Paths []string `yaml:"paths"`
	// Follow, true if left out, goes on as `tail -F` does: through rotation by rename, truncation, and files that come and
	// go. With false the files are read as they are, to their end, and nothing after that.
	Follow bool `yaml:"follow"`
}

// compressed are the names that a glob passes by.
var compressed = []string{".gz", ".zst", ".bz2", ".xz", ".zip"}

// Resolve makes relative paths begin where the configuration is.
func (s *File) Resolve(of func(path string) string) {
	for i, path := range s.Paths {
		s.Paths[i] = of(path)
	}
}

// Validate wants at least one path that can be read.
func (s *File) Validate() []setting.FieldError {
	var errs []setting.FieldError
	if len(s.Paths) == 0 {
		errs = append(errs, setting.FieldError{Path: "paths", Text: "no path: name at least one file or glob, such as [/var/log/prow/*.log]"})
	}
	for i, p := range s.Paths {
		at := fmt.Sprintf("paths.%d", i)
		_, bad := filepath.Match(p, "")
		switch {
		case p == "":
			errs = append(errs, setting.FieldError{Path: at, Text: "the path is empty"})
		case bad != nil:
			errs = append(errs, setting.FieldError{Path: at, Text: fmt.Sprintf("%q is not a glob: a [ has no ], or it ends in \\", p)})
		case strings.Contains(p, "**"):
			errs = append(errs, setting.FieldError{Path: at, Text: fmt.Sprintf("%q: ** is not known; name each level of directories with a *", p)})
		case isCompressed(p):
			errs = append(errs, setting.FieldError{Path: at, Text: fmt.Sprintf("%q is compressed and cannot be followed; `tocsin replay` reads it", p)})
		}
	}
	return errs
}

func isCompressed(path string) bool { return slices.Contains(compressed, filepath.Ext(path)) }

// New makes the source. Nothing is opened before it is read.
func (s *File) New(name string, env Env) (Source, error) {
	return &fileSource{name: name, settings: *s, env: env}, nil
}

const (
	filePoll = 100 * time.Millisecond
	// lookEvery is how many polls go by between two looks for new and moved files.
	lookEvery = 10
	// A file that was rotated away may be held open by its writer for a while: its last line counts as whole once it was still
	// for fileSettle, and it is closed after fileLinger.
	fileSettle = 5 * time.Second
	fileLinger = time.Minute
	// goneFor is how long the name of a file that is gone is remembered, so that a new one of that name is known as another.
	goneFor = 24 * time.Hour
)

type fileSource struct {
	name     string
	settings File
	env      Env
}

// Read follows the files.
func (s *fileSource) Read(ctx context.Context, from logs.Cursor, out chan<- logs.Batch) error {
	f := &follower{fileSource: s, out: out, gone: map[string]goneFile{}, buf: make([]byte, batchBytes)}
	defer f.close()
	if err := f.resume(from, time.Now()); err != nil {
		f.spoken = fmt.Sprintf("source %s: %v", s.name, err)
		s.env.tell(errors.New(f.spoken))
	}
	tick := time.NewTicker(filePoll)
	defer tick.Stop()
	for n := 0; ; n++ {
		now := time.Now()
		if n%lookEvery == 0 && (n == 0 || s.settings.Follow) {
			f.look(now)
		}
		if !f.drain(ctx, now) {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// follower is the state of one Read.
type follower struct {
	*fileSource
	out     chan<- logs.Batch
	streams []*stream // in the order they were found
	gone    map[string]goneFile
	buf     []byte

	pending *logs.Batch // held until it is known whether it is the last for now
	told    bool        // the receiver knows that all was read
	blind   bool
	wasOff  bool              // the receiver was told that it is blind
	trouble map[string]string // by path or glob
	spoken  string
}

func (f *follower) close() {
	for _, s := range f.streams {
		s.close()
	}
}

// look finds new files, and those that are no longer where they were.
func (f *follower) look(now time.Time) {
	f.trouble, f.blind = map[string]string{}, false
	at := f.find()
	here := map[fileID]bool{}
	for _, path := range slices.Sorted(maps.Keys(at)) {
		id := idOf(at[path])
		here[id] = true
		if s := f.stream(id); s != nil {
			if !s.finished || s.path != path && s.size == at[path].Size() || s.reopen(path) {
				continue
			}
			f.forget(s.path, s.generation, now) // another file, that got its number
			f.streams = slices.DeleteFunc(f.streams, func(other *stream) bool { return other == s })
		}
		s := &stream{path: path, id: id, generation: f.generation(path), still: now}
		if err := s.open(path); err != nil {
			f.failed(path, err)
			continue
		}
		f.streams = append(f.streams, s)
	}
	f.streams = slices.DeleteFunc(f.streams, func(s *stream) bool {
		info, ok := at[s.path]
		away := !ok || idOf(info) != s.id
		if away && !s.away {
			s.still = now
		}
		s.away = away
		if s.finished && !here[s.id] {
			f.forget(s.path, s.generation, now)
			return true
		}
		return false
	})
	maps.DeleteFunc(f.gone, func(_ string, g goneFile) bool { return now.Sub(g.Since) > goneFor })
}

// find maps the paths that the globs lead to now to the files there.
func (f *follower) find() map[string]fs.FileInfo {
	at := map[string]fs.FileInfo{}
	for _, pattern := range f.settings.Paths {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			f.failed(pattern, err)
		}
		n := 0
		for _, path := range paths {
			if isCompressed(path) {
				continue
			}
			info, err := os.Stat(path)
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				f.failed(path, err)
			case info.Mode().IsRegular():
				at[path] = info
				n++
			case path == pattern:
				f.failed(path, errors.New("it is no regular file"))
			}
		}
		if n == 0 && f.trouble[pattern] == "" {
			f.trouble[pattern] = "no file yet; it is read from its start when it appears"
		}
	}
	return at
}

// stream is the one that follows that file, or nil.
func (f *follower) stream(id fileID) *stream {
	for _, s := range f.streams {
		if s.id == id {
			return s
		}
	}
	return nil
}

// generation is the number of the next file of that path.
func (f *follower) generation(path string) int64 {
	next := int64(0)
	if g, ok := f.gone[path]; ok {
		next = g.Generation + 1
	}
	for _, s := range f.streams {
		if s.path == path {
			next = max(next, s.generation+1)
		}
	}
	return next
}

func (f *follower) forget(path string, generation int64, now time.Time) {
	f.gone[path] = goneFile{Generation: max(generation, f.gone[path].Generation), Since: now}
}

// failed notes what went wrong with a path. While something does, the source does not see all it should.
func (f *follower) failed(path string, err error) {
	if f.trouble == nil {
		f.trouble = map[string]string{}
	}
	f.trouble[path] = err.Error()
	f.blind = true
}

// speak tells of trouble when it has changed.
func (f *follower) speak() {
	var all []string
	for _, path := range slices.Sorted(maps.Keys(f.trouble)) {
		all = append(all, path+": "+f.trouble[path])
	}
	text := strings.Join(all, "; ")
	if text == f.spoken {
		return
	}
	f.spoken = text
	if text == "" {
		f.env.tell(nil)
		return
	}
	f.env.tell(fmt.Errorf("source %s: read files: %s", f.name, text))
}

// drain reads all files to their end, a batch of each in turn, and says when nothing more is there. It says false when ctx
// ended.
func (f *follower) drain(ctx context.Context, now time.Time) bool {
	for progress := true; progress; {
		progress = false
		for i, s := range f.streams {
			if s.finished || f.waits(i) {
				continue
			}
			b, moved, err := s.next(&f.buf, now, !f.settings.Follow)
			if err != nil {
				f.failed(s.path, err)
			}
			progress = progress || moved
			if b == nil {
				continue
			}
			b.Source, b.Received = f.name, time.Now()
			if !f.flush(ctx, false) {
				return false
			}
			b.Cursor = f.cursor()
			f.pending = b
		}
	}
	f.speak()
	return f.flush(ctx, true)
}

// waits says that an older file of the same path is not at its end yet.
func (f *follower) waits(i int) bool {
	for _, s := range f.streams[:i] {
		if s.path == f.streams[i].path && !s.finished && !s.atEnd {
			return true
		}
	}
	return false
}

// flush sends the batch that is held. At the end of all files it says so, on that batch or, once, on an empty one.
func (f *follower) flush(ctx context.Context, end bool) bool {
	b := f.pending
	if b == nil {
		if !end || f.told && f.wasOff == f.blind {
			return ctx.Err() == nil
		}
		b = &logs.Batch{Source: f.name, Received: time.Now()}
	}
	b.CaughtUp, b.Blind = end, f.blind
	f.pending, f.told, f.wasOff = nil, end, f.blind
	return send(ctx, f.out, *b)
}
