package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tocsin/internal/config"
	"tocsin/internal/incident"
	"tocsin/internal/setting"
	"tocsin/internal/web/client"
	"tocsin/internal/words"
	"tocsin/rules"
)

// Promotion is a change of one rule's mode in its file.
type Promotion struct {
	Rule     string
	From, To incident.Mode
	Position config.Position

	before, after []byte
}

// ranks are the modes by how far a rule may go.
var ranks = []incident.Mode{incident.Shadow, incident.Tell, incident.Page}

// Promote works out how a rule of a configuration gets another mode: nothing but that changes in its file, and the file is read as a
// whole to see that it is so. Nothing is written yet.
func Promote(configuration, rule, mode string) (*Promotion, error) {
	to := incident.Mode(mode)
	plan, errs := Load(configuration)
	if len(errs) > 0 {
		return nil, errs.Err()
	}
	r := plan.Rules.Rule(rule)
	if r == nil {
		var names []string
		for _, r := range plan.configured() {
			names = append(names, r.Name)
		}
		return nil, errors.New(setting.Unknown("rule", rule, names))
	}
	p := &Promotion{Rule: rule, From: r.Mode, To: to, Position: r.Position}
	switch step := slices.Index(ranks, to) - slices.Index(ranks, r.Mode); {
	case strings.HasPrefix(r.Position.File, config.Builtin):
		return nil, fmt.Errorf("%s is a rule that is built in, in %s: take that file into your own rules and name it in their place, then promote it there", rule, r.Position.File)
	case step <= 0:
		return nil, fmt.Errorf("%s has mode %s already", rule, r.Mode)
	case step > 1:
		return nil, fmt.Errorf("%s has mode %s: a rule tells before it pages, promote it to %s first", rule, r.Mode, ranks[slices.Index(ranks, r.Mode)+1])
	}
	var err error
	if p.before, err = os.ReadFile(r.Position.File); err != nil {
		return nil, fmt.Errorf("read rules: %w", err)
	}
	return p, p.edit()
}

// edit makes the new text: the value of mode is another, or, where the rule has none, a line or a key beside its name is new.
func (p *Promotion) edit() error {
	root, errs := config.Parse(p.Position.File, p.before)
	if len(errs) > 0 {
		return errs.Err()
	}
	var node config.Node
	for _, n := range root.Get("rules").Items() {
		if name, ok := n.Get("name").Scalar(); ok && name == p.Rule {
			node = n
		}
	}
	var tries [][]byte
	if mode := node.Get("mode"); !mode.IsZero() {
		old, _ := mode.Scalar()
		at := mode.Position()
		for _, quote := range []string{"", `"`, "'"} {
			tries = append(tries, replaced(p.before, at, quote+old+quote, quote+string(p.To)+quote))
		}
	} else {
		at := node.KeyAt("name")
		indent := strings.Repeat(" ", max(0, at.Column-1))
		tries = append(tries, inserted(p.before, at.Line, indent+"mode: "+string(p.To)+"\n"), replaced(p.before, at, "", "mode: "+string(p.To)+", "))
	}
	for _, text := range tries {
		if _, errs := config.Parse(p.Position.File, text); text == nil || len(errs) > 0 {
			continue
		}
		same, errs := p.only(text)
		if len(errs) > 0 {
			return fmt.Errorf("with mode %s the file would be refused:\n%s", p.To, errs.Error())
		}
		if same {
			p.after = text
			return nil
		}
	}
	return fmt.Errorf("%s:%d:%d: the mode of %s cannot be changed by itself as it is written: write mode: %s by hand", p.Position.File, p.Position.Line, p.Position.Column, p.Rule, p.To)
}

// only says whether a text has the same rules as before, but for the mode of this one.
func (p *Promotion) only(text []byte) (bool, config.Errors) {
	before, _ := rules.Read(p.Position.File, p.before)
	after, errs := rules.Read(p.Position.File, text)
	if len(errs) > 0 || len(before) != len(after) {
		return false, errs
	}
	for i, r := range after {
		want := before[i].Mode
		if r.Name == p.Rule {
			want = p.To
		}
		if r.Name != before[i].Name || r.Hash != before[i].Hash || r.Severity != before[i].Severity || r.Mode != want {
			return false, nil
		}
	}
	return true, nil
}

// replaced is text with what stands at a place replaced; nil if something else stands there.
func replaced(text []byte, at config.Position, old, by string) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	if at.Line < 1 || at.Line > len(lines) || at.Column < 1 {
		return nil
	}
	line := lines[at.Line-1]
	if at.Column-1 > len(line) || !bytes.HasPrefix(line[at.Column-1:], []byte(old)) {
		return nil
	}
	out := slices.Concat(line[:at.Column-1], []byte(by), line[at.Column-1+len(old):])
	return slices.Concat(bytes.Join(lines[:at.Line-1], nil), out, bytes.Join(lines[at.Line:], nil))
}

// inserted is text with a line behind another.
func inserted(text []byte, behind int, line string) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	if behind < 1 || behind > len(lines) {
		return nil
	}
	if last := lines[behind-1]; !bytes.HasSuffix(last, []byte("\n")) {
		line = "\n" + line
	}
	return slices.Concat(bytes.Join(lines[:behind], nil), []byte(line), bytes.Join(lines[behind:], nil))
}

// Write puts the new text into the file, at once: nobody reads half of it. A file that has changed meanwhile is left as it is.
func (p *Promotion) Write() error {
	now, err := os.ReadFile(p.Position.File)
	if err != nil {
		return fmt.Errorf("read rules: %w", err)
	}
	if !bytes.Equal(now, p.before) {
		return fmt.Errorf("%s has changed meanwhile: nothing was written", p.Position.File)
	}
	file, err := filepath.EvalSymlinks(p.Position.File) // what a link leads to is changed, the link stays
	if err != nil {
		return fmt.Errorf("write rules: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("write rules: %w", err)
	}
	part, err := os.CreateTemp(filepath.Dir(file), ".promote-*")
	if err != nil {
		return fmt.Errorf("write rules: %w", err)
	}
	_, err = part.Write(p.after)
	err = errors.Join(err, part.Chmod(info.Mode().Perm()), part.Sync(), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("write rules: %w", errors.Join(err, os.Remove(part.Name())))
	}
	return nil
}

// Diff writes the lines that change.
func (p *Promotion) Diff(to io.Writer) error {
	before, after := strings.Split(string(p.before), "\n"), strings.Split(string(p.after), "\n")
	var b strings.Builder
	fmt.Fprintf(&b, "%s:%d: %s, %s → %s\n", p.Position.File, p.Position.Line, p.Rule, p.From, p.To)
	i := 0
	for i < len(before) && i < len(after) && before[i] == after[i] {
		i++
	}
	if len(before) == len(after) {
		fmt.Fprintf(&b, "-%s\n", before[i])
	}
	fmt.Fprintf(&b, "+%s\n", after[i])
	_, err := io.WriteString(to, words.Terminal(b.String()))
	return err
}

// PrintRecord writes what a rule did.
func PrintRecord(to io.Writer, r client.RuleRecord, now time.Time) error {
	var b strings.Builder
	more := ""
	if r.More {
		more = " at least"
	}
	fmt.Fprintf(&b, "since %s, %s:\n", r.Since.UTC().Format("2006-01-02 15:04Z"), words.Duration(now.Sub(r.Since)))
	switch {
	case r.Recorded.IsZero():
		fmt.Fprintln(&b, "  nothing is on record of any rule: there is nothing to judge by yet")
	case r.Recorded.After(r.Since):
		fmt.Fprintf(&b, "  the record of all rules begins only %s: what was before is not known\n", r.Recorded.UTC().Format("2006-01-02 15:04Z"))
	}
	if r.Fired == 0 && !r.Recorded.IsZero() {
		fmt.Fprintln(&b, "  it did not fire")
	}
	if r.Fired > 0 {
		fmt.Fprintf(&b, "  fired %s%s, in %s\n", plural(r.Fired, "time"), more, plural(r.Groups, "group"))
		fmt.Fprintf(&b, "  %s%s: somebody was told of %d, paged for %d\n", plural(r.Incidents, "incident"), more, r.Told, r.Paged)
	}
	for i, f := range r.Firings {
		if i == 10 {
			fmt.Fprintf(&b, "    and %d more\n", r.Fired-i)
			break
		}
		in := ""
		if f.Incident != "" {
			in = "  " + plain(f.Incident, 40)
		}
		fmt.Fprintf(&b, "    %s  %-6s %s%s\n", f.At.UTC().Format("2006-01-02 15:04:05Z"), f.Mode, plain(f.Group, 120), in)
	}
	_, err := io.WriteString(to, b.String())
	return err
}
