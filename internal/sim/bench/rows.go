//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/scenario/corpus"
)

// bench is one run.
type bench struct {
	dir, tocsin, self   string
	times               int
	whole, slice, small *input
	wire                *input // slice as messages
}

// row is a line of the table: a command on an input.
type row struct {
	what  string
	rules int
	in    *input
	args  []string
	// files are written beside the corpus before the command runs.
	files map[string]string
	env   []string

	wall, cpu time.Duration
	found     string
}

func (r *row) String() string {
	cpu := max(r.cpu.Seconds(), 1e-9)
	found, more, _ := strings.Cut(r.found, " ")
	return fmt.Sprintf("%7d %10d %8.3f %8.3f %12.2f %17.0f %8s  %s %s", r.rules, r.in.entries, r.wall.Seconds(), r.cpu.Seconds(),
		float64(r.in.bytes)/1e9/cpu, float64(r.in.entries)/cpu, found, r.what, more)
}

// rows are the table.
func (b *bench) rows() []*row {
	needle := corpus.Live[0]
	out := []*row{
		b.grep("grep --count, 0.001 % match", needle.Filter),
		{what: "grep -F -c", args: []string{"grep", "-F", "-c", needle.Text, b.whole.path}},
		{what: "rg -F -c", args: []string{"rg", "-F", "-c", needle.Text, b.whole.path}},
		{what: "rg -F -c --no-mmap", args: []string{"rg", "-F", "-c", "--no-mmap", needle.Text, b.whole.path}},
		b.grep("grep --count, 1 % match", `jsonPayload.reason="Scheduled"`),
		b.grep("grep --count, 10 % match", `resource.type="http_load_balancer"`),
		b.grep("grep --count, 100 % match", `resource.labels.project_id="k8s-prow"`),
		b.grep("grep --count, no text tells a line", `severity>=CRITICAL`),
	}
	for _, n := range []int{3, 10, 100, 1000, 10_000} {
		out = append(out, b.set("find", n, 1, b.whole))
	}
	out = append(out, b.set("find", 10, 2, b.whole), b.set("find", 10_000, 2, b.whole), b.set("scan", 10, 1, b.whole), b.set("scan", 10_000, 1, b.whole),
		b.set("unselective", 3, 1, b.whole), b.set("unselective", 100, 1, b.whole), b.set("mixed", 1000, 1, b.whole),
		b.set("unselective", 3, 2, b.whole), b.set("mixed", 1000, 2, b.whole), b.set("messages", 10, 1, b.wire), b.set("messages", 10_000, 1, b.wire))
	for _, n := range []int{3, 10, 1000} {
		in := b.slice
		if n >= 1000 {
			in = b.small
		}
		out = append(out, b.others(n, in)...)
	}
	for _, r := range out {
		if r.rules == 0 {
			r.rules = 1
		}
		if r.in == nil {
			r.in = b.whole
		}
	}
	return out
}

func (b *bench) grep(what, filter string) *row {
	return &row{what: "tocsin " + what, args: []string{b.tocsin, "grep", "--count", filter, b.whole.path}}
}

func (b *bench) set(kind string, n, cores int, in *input) *row {
	what := map[string]string{
		"find": "tocsin, a set", "scan": "tocsin, a set with exact clock and counts",
		"unselective": "tocsin, a set without a text that tells a line", "mixed": "tocsin, a set, ten of it without a text that tells a line",
		"messages": "tocsin, a set with exact clock and counts, protocol buffers as a tail brings them",
	}[kind]
	return &row{what: fmt.Sprintf("%s, %d core(s)", what, cores), rules: n, in: in, env: []string{"GOMAXPROCS=" + strconv.Itoa(cores)},
		args: []string{b.self, "-set", kind, "-rules", strconv.Itoa(n), in.path}}
}

// others are the tools that do the same job, and those that only look for the texts.
func (b *bench) others(n int, in *input) []*row {
	var texts, mtail, sec, jq strings.Builder
	mtail.WriteString("counter found\n")
	for i, r := range corpus.Rules(n) {
		fmt.Fprintln(&texts, r.Text)
		fmt.Fprintf(&mtail, "/%s/ {\n  found++\n}\n", strings.ReplaceAll(regexp.QuoteMeta(r.Text), "/", `\/`))
		fmt.Fprintf(&sec, "type=Single\nptype=SubStr\npattern=%s\ndesc=found\naction=none\n\n", r.Text)
		if i > 0 {
			jq.WriteString(" or\n")
		}
		switch r.Text {
		case corpus.Live[0].Text:
			fmt.Fprintf(&jq, ".jsonPayload.msg == %q", r.Text)
		case corpus.Live[1].Text:
			jq.WriteString(".httpRequest.status == 502")
		case corpus.Live[2].Text:
			jq.WriteString(`.jsonPayload.reason == "BackOff"`)
		default:
			fmt.Fprintf(&jq, "((.jsonPayload.msg // \"\") | contains(%q))", r.Text)
		}
	}
	path := func(name string) string { return filepath.Join(b.dir, name) }
	return []*row{
		{what: "grep -F -c -f", rules: n, in: in, files: map[string]string{"texts": texts.String()}, args: []string{"grep", "-F", "-c", "-f", path("texts"), in.path}},
		{what: "rg -F -c -f", rules: n, in: in, args: []string{"rg", "-F", "-c", "-f", path("texts"), in.path}},
		{what: "mtail", rules: n, in: in, files: map[string]string{"found.mtail": mtail.String()},
			args: []string{"mtail", "--progs", path("found.mtail"), "--logs", in.path, "--one_shot", "--one_shot_format", "json", "--logtostderr", "--stderrthreshold", "3"}},
		{what: "sec", rules: n, in: in, files: map[string]string{"found.sec": sec.String()},
			args: []string{"sec", "--conf=" + path("found.sec"), "--input=" + in.path, "--notail", "--debug=3"}},
		{what: "jq", rules: n, in: in, files: map[string]string{"found.jq": "select(" + jq.String() + ") | 1\n"}, args: []string{"jq", "-c", "-f", path("found.jq"), in.path}},
	}
}

// measure runs a row's command and takes the medians.
func (b *bench) measure(ctx context.Context, r *row) error {
	for name, text := range r.files {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write rules: %w", err)
		}
	}
	var walls, cpus []time.Duration
	for range b.times {
		cmd := exec.CommandContext(ctx, r.args[0], r.args[1:]...)
		cmd.Env = append(os.Environ(), r.env...)
		var out, errs bytes.Buffer // a pipe: grep stops early when it writes to nowhere
		cmd.Stdout, cmd.Stderr = &out, &errs
		begun := time.Now()
		err := cmd.Run()
		var ended *exec.ExitError
		if err != nil && (!errors.As(err, &ended) || ended.ExitCode() != 1) { // 1: nothing found
			return fmt.Errorf("run %s: %w: %s", r.args[0], err, errs.String())
		}
		walls = append(walls, time.Since(begun))
		cpus = append(cpus, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		r.found = answer(r.args[0], out.String())
	}
	slices.Sort(walls)
	slices.Sort(cpus)
	r.wall, r.cpu = walls[len(walls)/2], cpus[len(cpus)/2]
	return nil
}

var mtailValue = regexp.MustCompile(`"Value": ?([0-9]+)`)

// answer is what a command found, as it says it.
func answer(tool, out string) string {
	switch tool {
	case "jq":
		return strconv.Itoa(strings.Count(out, "\n"))
	case "mtail":
		if m := mtailValue.FindStringSubmatch(out); m != nil {
			return m[1]
		}
		return "?"
	case "sec":
		return "-"
	}
	return strings.TrimSpace(out)
}
