package lint

import (
	"fmt"
	"go/ast"
	"maps"
	"path"
	"slices"
	"testing"
)

// pureRooms and pureFiles use no clock, network, file, log or SQL.
var (
	pureRooms = []string{"lql", "detectors", "incident", "routing", "words"}
	pureFiles = []string{"rules/evaluator.go", "rules/state.go", "rules/identity.go", "internal/escalation/policy.go", "internal/escalation/schedule.go",
		"internal/escalation/rota.go", "internal/escalation/ical.go", "internal/escalation/import.go"}
)

var (
	impureImports = []string{"os", "os/exec", "io/ioutil", "net", "net/http", "log", "log/slog", "database/sql", "math/rand", "math/rand/v2", "crypto/rand"}
	clock         = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"}
)

func isPure(s source) bool {
	return !s.isTest() && (slices.Contains(pureRooms, s.room()) || slices.Contains(pureFiles, s.path))
}

func checkPure(s source) []string {
	if !isPure(s) {
		return nil
	}
	var out []string
	imports := s.imports()
	for _, p := range slices.Sorted(maps.Keys(imports)) {
		if slices.Contains(impureImports, p) {
			out = append(out, fmt.Sprintf("%s: %s is pure and may not import %s: take what you need as an argument, return what happened", s.at(imports[p]), s.room(), p))
		}
	}
	for _, call := range uses(s, "time", clock) {
		out = append(out, fmt.Sprintf("%s: %s is pure and may not use time.%s: take the time as an argument", s.at(call.Pos()), s.room(), call.Sel.Name))
	}
	return out
}

// uses finds where the file uses one of a package's names.
func uses(s source, imported string, names []string) []*ast.SelectorExpr {
	local := ""
	for _, spec := range s.file.Imports {
		if spec.Path.Value == `"`+imported+`"` {
			local = path.Base(imported)
			if spec.Name != nil {
				local = spec.Name.Name
			}
		}
	}
	var out []*ast.SelectorExpr
	if local == "" {
		return nil
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if id, ok := sel.X.(*ast.Ident); ok && id.Name == local && slices.Contains(names, sel.Sel.Name) {
			out = append(out, sel)
		}
		return true
	})
	return out
}

func TestPure(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range tree(t) {
		seen[s.path] = true
		complain(t, checkPure(s))
	}
	for _, p := range pureFiles {
		if !seen[p] {
			t.Errorf("internal/lint/pure_test.go: there is no file %s: say where its code is now, or remove the line", p)
		}
	}
}

func TestPureFinds(t *testing.T) {
	const text = "package x\nimport (\n\"os\"\nt \"time\"\n)\nvar a = t.Now\nfunc f() { <-t.After(1); t.Unix(0, 0).After(t.Time{}) }"
	finds(t, checkPure, "internal/lql/x.go", text, "internal/lql/x.go:3: lql is pure and may not import os",
		"internal/lql/x.go:6: lql is pure and may not use time.Now", "internal/lql/x.go:7: lql is pure and may not use time.After")
	finds(t, checkPure, "internal/escalation/policy.go", text, "internal/escalation/policy.go:3", "internal/escalation/policy.go:6", "internal/escalation/policy.go:7")
	finds(t, checkPure, "internal/engine/x.go", text)
	finds(t, checkPure, "internal/lql/x_test.go", text)
}
