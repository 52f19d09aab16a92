package lint

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What is longer says why: a file in a comment before its first declaration, a function in its own.
const (
	mostLines     = 400
	mostFuncLines = 60
	mostBytes     = 1 << 20
)

var (
	longerFile = regexp.MustCompile(`(?i)\blonger:`)
	longerFunc = regexp.MustCompile(`(?i)\blong(er)?\b`)
)

func checkSizes(s source) []string {
	if s.isTest() || ast.IsGenerated(s.file) {
		return nil
	}
	var out []string
	lines := s.fset.Position(s.file.FileEnd).Line
	if lines > mostLines && !slices.ContainsFunc(s.file.Comments, func(c *ast.CommentGroup) bool {
		return longerFile.MatchString(c.Text()) && (len(s.file.Decls) == 0 || c.Pos() < firstDecl(s.file))
	}) {
		out = append(out, fmt.Sprintf("%s:%d: the file has %d lines: move one concern into a file of its own, or say why under the imports, // Longer: ...", s.path, mostLines+1, lines))
	}
	for _, d := range s.file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		if n := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1; n > mostFuncLines && !longerFunc.MatchString(f.Doc.Text()) {
			out = append(out, fmt.Sprintf("%s: %s has %d lines: split it, or say in its comment why it is longer", s.at(f.Pos()), f.Name.Name, n))
		}
	}
	return out
}

// firstDecl is where the first declaration behind the imports begins, without its comment.
func firstDecl(f *ast.File) token.Pos {
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); !ok || g.Tok != token.IMPORT {
			return d.Pos()
		}
	}
	return f.FileEnd
}

func TestSizes(t *testing.T) {
	for _, s := range tree(t) {
		complain(t, checkSizes(s))
	}
	for _, p := range files(t) {
		if info, err := os.Stat(filepath.Join("../..", p)); err == nil && info.Size() > mostBytes {
			t.Errorf("%s: the file has %d bytes, more than %d: make it when it is needed, or keep a small part of it", p, info.Size(), mostBytes)
		}
	}
}

func TestSizesFinds(t *testing.T) {
	long := strings.Repeat("\n", 60)
	finds(t, checkSizes, "x.go", "package x\n\n// f is.\nfunc f() {"+long+"}\n", "x.go:4: f has 61 lines")
	finds(t, checkSizes, "x.go", "package x\n\n// f is.\nfunc f() {"+long[1:]+"}\n")
	finds(t, checkSizes, "x.go", "package x\n\n// f is long because all of it is one table.\nfunc f() {"+long+"}\n")
	longer := strings.Repeat("\n", 400)
	finds(t, checkSizes, "x.go", "package x\n\nvar a int"+longer, "x.go:401: the file has")
	finds(t, checkSizes, "x.go", "package x\n\n// Longer: it is one grammar.\n\nvar a int"+longer)
	finds(t, checkSizes, "x_test.go", "package x\n"+longer)
}

// exempt are methods whose meaning everybody knows.
var exempt = []string{"Error", "Unwrap", "Is", "As"}

func checkDocs(s source) []string {
	if s.isTest() || ast.IsGenerated(s.file) {
		return nil
	}
	var out []string
	want := func(p token.Pos, name string, docs ...*ast.CommentGroup) {
		if !ast.IsExported(name) || slices.ContainsFunc(docs, func(c *ast.CommentGroup) bool { return strings.TrimSpace(c.Text()) != "" }) {
			return
		}
		out = append(out, fmt.Sprintf("%s: %s is exported and has no comment: say what it promises (shapes, units, errors), or do not export it", s.at(p), name))
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || exportedReceiver(d) && !slices.Contains(exempt, d.Name.Name) {
				want(d.Pos(), d.Name.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					want(spec.Pos(), spec.Name.Name, d.Doc, spec.Doc)
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						want(name.Pos(), name.Name, d.Doc, spec.Doc, spec.Comment)
					}
				}
			}
		}
	}
	return out
}

// exportedReceiver says whether a method is of an exported type.
func exportedReceiver(f *ast.FuncDecl) bool {
	t := f.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

func TestDocs(t *testing.T) {
	documented, first := map[string]int{}, map[string]string{}
	for _, s := range tree(t) {
		complain(t, checkDocs(s))
		if s.isTest() {
			continue
		}
		dir := path.Dir(s.path)
		if first[dir] == "" {
			first[dir] = s.path
		}
		if strings.TrimSpace(s.file.Doc.Text()) != "" {
			documented[dir]++
		}
	}
	for dir, p := range first {
		if documented[dir] == 0 {
			t.Errorf("%s:1: the package has no comment: write // Package %s ... above the package clause of the file that a reader opens first", p, path.Base(dir))
		}
		if documented[dir] > 1 {
			t.Errorf("%s:1: the package has %d comments: keep one; in the other files leave an empty line above the package clause", p, documented[dir])
		}
	}
}

func TestDocsFinds(t *testing.T) {
	finds(t, checkDocs, "x.go", "package x\ntype T int\nfunc (T) M() {}\nfunc (T) Error() string { return \"\" }\nfunc (t) N() {}\nfunc F() {}\nvar (\nA = 1\nB = 2 // is\n)",
		"x.go:2: T is exported", "x.go:3: M is", "x.go:6: F is", "x.go:8: A is")
	finds(t, checkDocs, "x.go", "package x\n// These are.\nconst (\nA = 1\nB = 2\n)\n// F does.\nfunc F() {}\nfunc g() {}")
}

func checkHabits(s source) []string {
	var out []string
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
			out = append(out, fmt.Sprintf("%s: init runs unseen: put a row into the literal table of kinds, or do it where it is needed", s.at(f.Pos())))
		}
	}
	// In a bubble of testing/synctest a sleep moves the clock and waits for nothing.
	if _, bubble := s.imports()["testing/synctest"]; s.isTest() && !bubble {
		for _, call := range uses(s, "time", []string{"Sleep"}) {
			out = append(out, fmt.Sprintf("%s: a test that sleeps is slow or flaky: use testing/synctest, or wait on what you wait for", s.at(call.Pos())))
		}
	}
	return out
}

func TestHabits(t *testing.T) {
	for _, s := range tree(t) {
		complain(t, checkHabits(s))
	}
	finds(t, checkHabits, "x.go", "package x\nfunc init() {}\nfunc (t) init() {}", "x.go:2: init runs unseen")
	finds(t, checkHabits, "x_test.go", "package x\nimport \"time\"\nfunc f() { time.Sleep(1) }", "x_test.go:3: a test that sleeps")
	finds(t, checkHabits, "x_test.go", "package x\nimport \"time\"\nimport _ \"testing/synctest\"\nfunc f() { time.Sleep(1) }")
}
