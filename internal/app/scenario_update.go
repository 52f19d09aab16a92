package app

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"tocsin/internal/config"
)

// lineEdit replaces the lines [from, to) of a file, counted from nought.
type lineEdit struct {
	from, to int
	lines    []string
}

// Update rewrites what a scenario file expects so that it is what came of its scenarios, which have been proved: items that hold stay as
// they are written, with their comments, the others are taken out, and what came is put in. It says whether anything has changed.
func Update(path string, list []*Trial) (bool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("update %s: %w", path, err)
	}
	lines := strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n")
	var edits []lineEdit
	for i, t := range list {
		if t.scenario == nil || t.came == nil {
			continue
		}
		end := len(lines)
		if i+1 < len(list) {
			end = list[i+1].Position.Line - 1
		}
		more, err := t.scenario.rewrite(lines, end, t.came)
		if err != nil {
			return false, err
		}
		edits = append(edits, more...)
	}
	if len(edits) == 0 {
		return false, nil
	}
	slices.SortStableFunc(edits, func(a, b lineEdit) int { return b.from - a.from })
	for _, e := range edits {
		lines = slices.Replace(lines, e.from, e.to, e.lines...)
	}
	info, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("update %s: %w", path, err)
	}
	text := strings.Join(lines, "\n")
	if _, errs := config.Parse(path, []byte(text)); len(errs) > 0 {
		return false, fmt.Errorf("update %s: it is written in a way that cannot be rewritten in place: put each item of expect on lines of its own", path)
	}
	if err := os.WriteFile(path, []byte(text), info.Mode().Perm()); err != nil {
		return false, fmt.Errorf("update %s: %w", path, err)
	}
	return true, nil
}

// rewrite are the edits that make a scenario expect what came. Its text ends before the line end.
func (s *scenarioOf) rewrite(lines []string, end int, came *witness) ([]lineEdit, error) {
	top := s.node.Position()
	if top.Line < 1 || top.Line > len(lines) || strings.HasPrefix(strings.TrimLeft(lines[top.Line-1], " -"), "{") {
		return nil, top.Errorf("a scenario that is written in braces is not rewritten: put each key on a line of its own")
	}
	end = trimmed(lines, top.Line, end)
	expect := s.Expect
	if len(expect.Members()) == 0 {
		return s.afresh(lines, end, came), nil
	}
	members := expect.Members()
	if strings.HasPrefix(strings.TrimSpace(lines[expect.Position().Line-1]), "expect:") {
		return nil, expect.Position().Errorf("expect in braces is not rewritten: put each key on a line of its own")
	}
	var edits []lineEdit
	for i, m := range members {
		want, looked := s.lists[m.Key]
		if !looked {
			continue
		}
		pairs := align(want, came.list(m.Key))
		if !slices.ContainsFunc(pairs, pairing.differs) {
			continue
		}
		to := s.after("expect", end)
		if i+1 < len(members) {
			to = members[i+1].KeyPosition.Line - 1
		}
		e, err := rewriteList(lines, m, trimmed(lines, m.KeyPosition.Line, to), pairs)
		if err != nil {
			return nil, err
		}
		edits = append(edits, e)
	}
	return edits, nil
}

// after is the line of the scenario's key behind one of that name, or end.
func (s *scenarioOf) after(key string, end int) int {
	members := s.node.Members()
	i := slices.IndexFunc(members, func(m config.Member) bool { return m.Key == key })
	if i < 0 || i+1 >= len(members) {
		return end
	}
	return members[i+1].KeyPosition.Line - 1
}

// afresh writes all that is expected where nothing was.
func (s *scenarioOf) afresh(lines []string, end int, came *witness) []lineEdit {
	indent := strings.Repeat(" ", s.node.Position().Column-1)
	e := lineEdit{from: end, to: end, lines: []string{indent + "expect:"}}
	for _, m := range s.node.Members() {
		if m.Key == "expect" { // written, and empty
			e.from = m.KeyPosition.Line - 1
			e.to = e.from + 1
		}
	}
	for _, key := range scenarioLists {
		e.lines = append(e.lines, listed(indent+"  ", key, "", align(nil, came.list(key)), nil)...)
	}
	return []lineEdit{e}
}

// rewriteList is a list of expect with what came. Its text ends before the line end.
func rewriteList(lines []string, m config.Member, end int, pairs []pairing) (lineEdit, error) {
	from := m.KeyPosition.Line - 1
	indent := strings.Repeat(" ", m.KeyPosition.Column-1)
	key, comment, _ := strings.Cut(strings.TrimSpace(lines[from]), ":")
	comment = strings.TrimSpace(comment)
	if !strings.HasPrefix(comment, "#") {
		comment = "" // the list stands there itself
	}
	items := m.Value.Items()
	written := map[config.Position][]string{}
	last := from
	for i, item := range items {
		line := item.Position().Line - 1
		if line <= last || line >= end || !strings.HasPrefix(strings.TrimSpace(lines[line]), "-") {
			if line == from {
				break // on the key's line: it is written anew
			}
			return lineEdit{}, item.Position().Errorf("%s is not rewritten as it stands: put each item on a line of its own, without anchors", m.Key)
		}
		next := end
		if i+1 < len(items) {
			next = max(line+1, items[i+1].Position().Line-1)
		}
		begin := last + 1 // comments before it are its own
		to := trimmed(lines, line+1, next)
		written[item.Position()] = lines[begin:to]
		last = to - 1
	}
	return lineEdit{from: from, to: end, lines: listed(indent, key, comment, pairs, written)}, nil
}

// listed is a list as it is written: what holds as it was, with its comments, and what came.
func listed(indent, key, comment string, pairs []pairing, written map[config.Position][]string) []string {
	head := indent + key + ":"
	var out []string
	for _, p := range pairs {
		switch {
		case p.want == nil && p.came.more > 0:
			out = append(out, indent+"  - "+others)
		case p.want == nil:
			out = append(out, indent+"  - "+p.came.line())
		case p.differs():
		case written[p.want.position] != nil:
			out = append(out, written[p.want.position]...)
		default:
			out = append(out, indent+"  - "+p.want.line())
		}
	}
	if len(out) == 0 {
		head += " []"
	}
	if comment != "" {
		head += " " + comment
	}
	return append([]string{head}, out...)
}

// trimmed is end less the blank lines and comments before it, which belong to what follows; not before the line from.
func trimmed(lines []string, from, end int) int {
	for end > from {
		line := strings.TrimSpace(lines[end-1])
		if line != "" && !strings.HasPrefix(line, "#") {
			break
		}
		end--
	}
	return end
}
