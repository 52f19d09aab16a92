package main

import (
	"strings"
	"testing"
)

// Without anything of Google's nobody is asked, and what is found is printed with its mend; the exit code says whether anything fails.
func TestDoctor(t *testing.T) {
	config := written(t, "tocsin.yaml", "project: p\nsources: {in: {file: {paths: [\"*.nothing\"]}}}\nreceivers: {screen: {console: {}}, ops: {slack: {channel: C0123456789, token_file: gone}}}\nfallback: ops\n")
	code, out, stderr := ran(t, "doctor", "--config", config)
	for _, want := range []string{"warn  source in: no file matches ", "\n      -> it is read once it is there", "ok    receiver screen: ", "fail  receiver ops: open token of receiver ops: ", "warn  when tocsin is gone: nobody outside is known to notice: no heartbeat is configured, and for an alert policy nobody was asked"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if code != 1 || !strings.HasSuffix(stderr, "2 ok, 2 to look at, 1 broken\n") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	code, out, stderr = ran(t, "doctor", "--config", config, "--format", "json")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 1 || stderr != "" || len(lines) != 5 || !strings.HasPrefix(lines[2], `{"level":"fail","about":"receiver ops","text":"open token`) {
		t.Errorf("json: exit %d %s\n%s", code, stderr, out)
	}
	if code, _, stderr := ran(t, "doctor", "--config", written(t, "tocsin.yaml", "project: p\nsauces: {}\n")); code != 2 || !strings.Contains(stderr, "tocsin.yaml:2:1") {
		t.Errorf("a mistake: exit %d %s", code, stderr)
	}
}
