package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// module is the name that go.mod gives.
const module = "tocsin"

// source is a Go file of ours. Its path is relative to the repository, with slashes.
type source struct {
	path string
	fset *token.FileSet
	file *ast.File
}

// at is where something stands, as editors understand it.
func (s source) at(p token.Pos) string {
	return fmt.Sprintf("%s:%d", s.path, s.fset.Position(p).Line)
}

func (s source) isTest() bool { return strings.HasSuffix(s.path, "_test.go") }

// imports are the paths that the file imports, with where.
func (s source) imports() map[string]token.Pos {
	out := map[string]token.Pos{}
	for _, spec := range s.file.Imports {
		out[strings.Trim(spec.Path.Value, `"`)] = spec.Pos()
	}
	return out
}

// room is the room that a directory or an import path below the module belongs to, sub-packages with their room: "engine",
// "rules", "cmd".
func room(dir string) string {
	dir = strings.TrimPrefix(dir, "internal/")
	first, _, _ := strings.Cut(dir, "/")
	return first
}

func (s source) room() string { return room(path.Dir(s.path)) }

// parse makes a source of a text, for the tests of the checks themselves.
func parse(t *testing.T, name, text string) source {
	t.Helper()
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return source{path: name, fset: fset, file: file}
}

// files are the paths of all files that belong to the repository: what git knows or would add, or, where there is no git,
// everything.
func files(t *testing.T) []string {
	t.Helper()
	if out, err := exec.Command("git", "-C", "../..", "ls-files", "-z", "-co", "--exclude-standard").Output(); err == nil {
		var paths []string
		for _, p := range strings.Split(strings.Trim(string(out), "\x00"), "\x00") {
			if info, err := os.Lstat(filepath.Join("../..", p)); err == nil && info.Mode().IsRegular() {
				paths = append(paths, p)
			}
		}
		return paths
	}
	var paths []string
	err := fs.WalkDir(os.DirFS("../.."), ".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (p == ".git" || p == "bin"):
			return fs.SkipDir
		case d.Type().IsRegular():
			paths = append(paths, p)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// tree are the Go files of the repository, testdata aside.
func tree(t *testing.T) []source {
	t.Helper()
	var sources []source
	for _, p := range files(t) {
		if !strings.HasSuffix(p, ".go") || slices.Contains(strings.Split(p, "/"), "testdata") {
			continue
		}
		text, err := os.ReadFile(filepath.Join("../..", p))
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, parse(t, p, string(text)))
	}
	if len(sources) < 10 {
		t.Fatalf("found %d Go files: this does not look at the repository", len(sources))
	}
	return sources
}

// complain fails the test with each complaint.
func complain(t *testing.T, complaints []string) {
	t.Helper()
	for _, c := range complaints {
		t.Error(c)
	}
}

// finds checks that a check complains of the right lines of a text.
func finds(t *testing.T, check func(source) []string, name, text string, want ...string) {
	t.Helper()
	got := check(parse(t, name, text))
	if len(got) != len(want) {
		t.Errorf("%d complaints, want %d: %q", len(got), len(want), got)
		return
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("complaint %q, want one that begins with %q", got[i], want[i])
		}
	}
}
