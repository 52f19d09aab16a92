package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary the command itself where a script runs `tocsin`.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tocsin": main})
}

// TestScript runs testdata/script. Beside testscript's own commands the scripts have those of scriptCommands.
func TestScript(t *testing.T) {
	repository, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                "testdata/script",
		RequireUniqueNames: true,
		Cmds:               scriptCommands,
		Setup: func(e *testscript.Env) error {
			e.Setenv("REPOSITORY", repository)
			e.Setenv("USER", "ana")
			e.Setenv("TZ", "Asia/Tokyo") // what is printed as UTC must be UTC wherever it is printed
			e.Values[services{}] = map[string]*service{}
			return nil
		},
	})
}

// patience is how long a script waits for anything: far longer than it takes.
const patience = 30 * time.Second

var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"append":    appendCommand,
	"begin":     beginCommand,
	"end":       endCommand,
	"exit":      exitCommand,
	"fetch":     fetchCommand,
	"gzip":      gzipCommand,
	"harmless":  harmlessCommand,
	"incident":  incidentCommand,
	"lines":     linesCommand,
	"raw":       rawCommand,
	"signal":    signalCommand,
	"waitfor":   waitforCommand,
	"waitfetch": waitfetchCommand,
	"zstd":      zstdCommand,
}

// usage ends a script that calls a command wrongly.
func usage(ts *testscript.TestScript, wrong bool, text string) {
	if wrong {
		ts.Fatalf("usage: %s", text)
	}
}

// until asks again and again, until it holds or patience is out.
func until(ts *testscript.TestScript, what func() string, holds func() bool) {
	look := time.NewTicker(5 * time.Millisecond) // another process is at work: there is nothing that would wake us
	defer look.Stop()
	for end := time.Now().Add(patience); !holds(); <-look.C {
		if time.Now().After(end) {
			ts.Fatalf("waited %s: %s", patience, what())
		}
	}
}

// exit CODE tocsin ARGS...: the command ends with exactly this code. Its output is there for stdout, stderr and cmp. A first
// argument <FILE is its standard input.
func exitCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) < 2, "exit CODE tocsin ARGS...")
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	args = args[1:]
	input, redirected := strings.CutPrefix(args[0], "<")
	if redirected {
		args = args[1:]
	}
	cmd := command(ctx, ts, args[0], args[1:])
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	if redirected {
		cmd.Stdin = strings.NewReader(ts.ReadFile(input))
	}
	if got := exitCode(ts, cmd.Run()); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func exitCode(ts *testscript.TestScript, err error) int {
	var e *exec.ExitError
	if errors.As(err, &e) {
		return e.ExitCode()
	}
	ts.Check(err)
	return 0
}

// command is a process in the script's directory and environment.
func command(ctx context.Context, ts *testscript.TestScript, name string, args []string) *exec.Cmd {
	path := name
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if p := filepath.Join(dir, name); !strings.Contains(name, "/") && path == name {
			if _, err := os.Stat(p); err == nil {
				path = p
			}
		}
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = ts.MkAbs(".")
	for _, key := range []string{"PATH", "HOME", "USER", "TZ", "TMPDIR", "GOCOVERDIR", "TOCSIN_URL", "TOCSIN_TOKEN", "TOCSIN_TOKEN_FILE"} {
		if value := ts.Getenv(key); value != "" {
			cmd.Env = append(cmd.Env, key+"="+value)
		}
	}
	return cmd
}

// services is the key under which a script's services are kept.
type services struct{}

// service is a process in the background.
type service struct {
	cmd   *exec.Cmd
	ended chan error
}

// begin NAME tocsin ARGS...: starts a process, its output in NAME.out and NAME.err. When it says where it serves, that is in the
// variables NAME_URL and TOCSIN_URL, and in NAME_ADDRESS as host:port.
func beginCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) < 2, "begin NAME tocsin ARGS...")
	name := args[0]
	files := [2]*os.File{}
	for i, suffix := range []string{".out", ".err"} {
		f, err := os.Create(ts.MkAbs(name + suffix))
		ts.Check(err)
		defer f.Close() // the process has its own
		files[i] = f
	}
	s := &service{cmd: command(context.Background(), ts, args[1], args[2:]), ended: make(chan error, 1)}
	s.cmd.Stdout, s.cmd.Stderr = files[0], files[1]
	ts.Check(s.cmd.Start())
	go func() { s.ended <- s.cmd.Wait() }()
	ts.Value(services{}).(map[string]*service)[name] = s
	ts.Defer(func() { _ = s.cmd.Process.Kill() }) // it may have ended
	at := regexp.MustCompile(`tocsin serves at (\S+)\n`)
	until(ts, func() string { return name + " does not serve:\n" + ts.ReadFile(name+".err") }, func() bool {
		m := at.FindStringSubmatch(ts.ReadFile(name + ".err"))
		if m != nil {
			ts.Setenv(name+"_URL", m[1])
			ts.Setenv(name+"_ADDRESS", strings.TrimPrefix(m[1], "http://"))
			ts.Setenv("TOCSIN_URL", m[1])
		}
		return m != nil
	})
}

func serviceOf(ts *testscript.TestScript, name string) *service {
	s := ts.Value(services{}).(map[string]*service)[name]
	if s == nil {
		ts.Fatalf("nothing was begun as %s", name)
	}
	return s
}

// signal NAME HUP|TERM|INT|KILL
func signalCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "signal NAME HUP|TERM|INT|KILL")
	sig, ok := map[string]os.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}[args[1]]
	usage(ts, !ok, "signal NAME HUP|TERM|INT|KILL")
	ts.Check(serviceOf(ts, args[0]).cmd.Process.Signal(sig))
}

// end NAME CODE: the process ends with this code; -1 is by a signal.
func endCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "end NAME CODE")
	select {
	case err := <-serviceOf(ts, args[0]).ended:
		if got := exitCode(ts, err); strconv.Itoa(got) != args[1] {
			ts.Fatalf("%s ended with %d, want %s:\n%s", args[0], got, args[1], ts.ReadFile(args[0]+".err"))
		}
	case <-time.After(patience):
		ts.Fatalf("%s does not end", args[0])
	}
}

// waitfor FILE TEXT [COUNT]: waits until the text is in the file, COUNT times at least.
func waitforCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) < 2 || len(args) > 3, "waitfor FILE TEXT [COUNT]")
	want := 1
	if len(args) == 3 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		want = n
	}
	until(ts, func() string { return fmt.Sprintf("no %q in %s:\n%s", args[1], args[0], ts.ReadFile(args[0])) },
		func() bool { return strings.Count(ts.ReadFile(args[0]), args[1]) >= want })
}

func get(ts *testscript.TestScript, url string) (status int, body string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	ts.Check(err)
	if token := ts.Getenv("TOCSIN_TOKEN"); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	ts.Check(err)
	return resp.StatusCode, string(data)
}

// fetch STATUS URL: a GET answers with this status; the body is there for stdout.
func fetchCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "fetch STATUS URL")
	status, body := get(ts, args[1])
	fmt.Fprint(ts.Stdout(), body)
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("status %d, want %s", status, args[0])
	}
}

// waitfetch URL TEXT: waits until the text is in what a GET answers.
func waitfetchCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "waitfetch URL TEXT")
	body := ""
	until(ts, func() string { return fmt.Sprintf("no %q in %s:\n%s", args[1], args[0], body) }, func() bool {
		_, body = get(ts, args[0])
		return strings.Contains(body, args[1])
	})
}

// incident: the id of the only incident that is not over is put into the variable INCIDENT, its first eight characters into
// PREFIX. It waits for it.
func incidentCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 0, "incident")
	id := regexp.MustCompile(`"id": ?"([0-9A-Z]{26})"`)
	var found []string
	until(ts, func() string { return fmt.Sprintf("found incidents %q, want one", found) }, func() bool {
		_, body := get(ts, ts.Getenv("TOCSIN_URL")+"/api/v1/incidents?state=open&state=acknowledged")
		found = nil
		for _, m := range id.FindAllStringSubmatch(body, -1) {
			found = append(found, m[1])
		}
		return len(found) == 1
	})
	ts.Setenv("INCIDENT", found[0])
	ts.Setenv("PREFIX", found[0][:8])
}

// append TO FROM: appends a file to another, @now in it being the present time.
func appendCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "append TO FROM")
	text := strings.ReplaceAll(ts.ReadFile(args[1]), "@now", time.Now().UTC().Format(time.RFC3339Nano))
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	ts.Check(err)
	_, err = f.WriteString(text)
	ts.Check(errors.Join(err, f.Close()))
}

// gzip FROM TO
func gzipCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "gzip FROM TO")
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, ts.ReadFile(args[0]))
	ts.Check(errors.Join(err, w.Close()))
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o600))
}

// zstd FROM TO
func zstdCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 2, "zstd FROM TO")
	w, err := zstd.NewWriter(nil)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), w.EncodeAll([]byte(ts.ReadFile(args[0])), nil), 0o600))
}

// raw FILE: makes the bytes of what is written as \e (escape), \r, \b, \a, \0, \x9b (the one-byte escape sequence) and \xff (no
// UTF-8) in the file; \n is a cut: the newline behind it goes.
func rawCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) != 1, "raw FILE")
	text := strings.NewReplacer(`\e`, "\x1b", `\r`, "\r", `\b`, "\b", `\a`, "\a", `\0`, "\x00", `\x9b`, "\u009b", `\xff`, "\xff", "\\n\n", "").Replace(ts.ReadFile(args[0]))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// harmless FILE...: nothing in the files makes a terminal do anything, or turns what a reader sees.
func harmlessCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) == 0, "harmless FILE...")
	for _, name := range args {
		text := ts.ReadFile(name)
		if text == "" {
			ts.Fatalf("%s is empty: nothing to see", name)
		}
		for i, c := range text {
			if c < 0x20 && c != '\n' && c != '\t' || c >= 0x7f && c < 0xa0 || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
				ts.Fatalf("%s has %U: %q", name, c, text[max(0, i-40):min(len(text), i+40)])
			}
		}
	}
}

// lines COUNT FILE [TEXT]: so many lines of the file (stdout too) hold the text.
func linesCommand(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, neg || len(args) < 2 || len(args) > 3, "lines COUNT FILE [TEXT]")
	n, text := 0, ""
	if len(args) == 3 {
		text = args[2]
	}
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		if strings.Contains(line, text) {
			n++
		}
	}
	if strconv.Itoa(n) != args[0] {
		ts.Fatalf("%d lines of %s hold %q, want %s:\n%s", n, args[1], text, args[0], ts.ReadFile(args[1]))
	}
}
