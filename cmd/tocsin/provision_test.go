package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"tocsin/internal/fakes"
)

// ran runs the command in the process, and returns its exit code and what it wrote.
func ran(t *testing.T, args ...string) (code int, out, err string) {
	t.Helper()
	var o, e bytes.Buffer
	code = runWith(t.Context(), &streams{in: strings.NewReader(""), out: &o, err: &e}, args)
	return code, o.String(), e.String()
}

// written writes a file into a directory of the test's own, and returns its path.
func written(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const provisioned = `
project: prow
sources:
  logs: {cloud_logging: {resource_names: [projects/prow, projects/prow/locations/global/buckets/b/views/v]}}
  more: {cloud_logging: {resource_names: [projects/prow]}}
`

func TestProvision(t *testing.T) {
	cloud, err := fakes.NewCloudProject()
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	config := written(t, "tocsin.yaml", provisioned)
	run := func(more ...string) (int, string, string) {
		t.Helper()
		return ran(t, append([]string{"provision", "--config", config, "--endpoint", cloud.Addr(), "--project", "ops", "--member", "serviceAccount:tocsin@ops.iam.gserviceaccount.com"}, more...)...)
	}
	const query = "absent_over_time(tocsin_audit_last_seconds[2m]) or time() - max(tocsin_audit_last_seconds) > 120"
	plan := `WORD role projects/prow
         roles/logging.viewer to serviceAccount:tocsin@ops.iam.gserviceaccount.com
WORD role projects/prow
         roles/logging.viewAccessor to serviceAccount:tocsin@ops.iam.gserviceaccount.com where resource.name.endsWith("locations/global/buckets/b/views/v")
WORD alert policy projects/ops: tocsin is silent
`
	with := func(word, text string) string { return strings.ReplaceAll(text, "WORD", (word + "        ")[:8]) }
	silent := "         when " + query + "; it tells nobody: give --notification-channel (`gcloud beta monitoring channels list`); it must not be the pager that tocsin uses alone\n"
	check := func(what string, wantCode int, wantOut, wantErr string, code int, out, stderr string) {
		t.Helper()
		if diff := cmp.Diff(wantOut, out); code != wantCode || diff != "" || !strings.Contains(stderr, wantErr) {
			t.Errorf("%s: exit %d, want %d; %s (-want +got)\n%s", what, code, wantCode, stderr, diff)
		}
	}
	code, out, stderr := run()
	check("plan", 0, with("create", plan)+silent, "nothing was changed: add --apply to make what is missing or different (3)", code, out, stderr)
	if w := cloud.Writes(); len(w) > 0 {
		t.Errorf("the plan wrote %v", w)
	}
	code, out, stderr = run("--apply")
	check("apply", 0, with("created", plan)+silent, "", code, out, stderr)
	code, out, stderr = run("--apply", "--notification-channel", "projects/ops/notificationChannels/1")
	check("apply with a channel", 0, strings.Replace(with("exists", plan), "exists   alert", "changed  alert", 1)+"         tells [], is to tell [projects/ops/notificationChannels/1]\n", "", code, out, stderr)
	code, out, stderr = run()
	check("plan of what is there", 0, with("exists", plan), "", code, out, stderr)
	if stderr != "" {
		t.Errorf("there is nothing to do, and it says %q", stderr)
	}
	code, out, _ = run("--format", "json")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 0 || len(lines) != 3 || lines[2] != `{"thing":"alert policy","name":"projects/ops: tocsin is silent","action":"exists"}` {
		t.Errorf("json: exit %d\n%s", code, out)
	}
	cloud.Refuse("GetIamPolicy", codes.PermissionDenied, "The caller does not have permission")
	code, out, stderr = run()
	if code != 1 || !strings.Contains(out, "failed   role projects/prow\n         you may not: The caller does not have permission. You need roles/resourcemanager.projectIamAdmin there for this") || !strings.Contains(stderr, "2 things could not be looked at or made") {
		t.Errorf("refused: exit %d\n%s%s", code, out, stderr)
	}
}

func TestProvisionTerraformAsksNobody(t *testing.T) {
	code, out, stderr := ran(t, "provision", "--config", written(t, "tocsin.yaml", provisioned), "--emit", "terraform", "--project", "ops", "--member", "serviceAccount:a@b.c")
	if code != 0 || strings.Count(out, "\nresource ") != 3 || !strings.Contains(out, `role    = "roles/logging.viewAccessor"`) {
		t.Errorf("exit %d\n%s%s", code, out, stderr)
	}
}

func TestProvisionRefusesWhatCannotBeMeant(t *testing.T) {
	good, bad := written(t, "tocsin.yaml", provisioned), written(t, "tocsin.yaml", "project: p\nsources: {a: {cloud_loging: {}}}\n")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--config", good, "--member", "tocsin"}, `--member "tocsin": write it as IAM does`},
		{[]string{"--config", good, "--watch", "prow"}, `--watch "prow": write projects/P`},
		{[]string{"--config", good, "--topic", "t"}, `--topic "t": write projects/P/topics/T`},
		{[]string{"--config", good, "--notification-channel", "me"}, `--notification-channel "me": write projects/P/notificationChannels/N`},
		{[]string{"--config", good, "--emit", "terraform", "--apply"}, "can't be used together"},
		{[]string{"--config", bad}, "tocsin.yaml:2:15: unknown kind of source"},
	} {
		if code, out, stderr := ran(t, append([]string{"provision"}, c.args...)...); code != 2 || out != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit %d, want 2 and %q\n%s%s", c.args, code, c.want, out, stderr)
		}
	}
}

// What Terraform's configuration leaves out for want of a flag is said beside it, and never in it.
func TestTerraformSaysWhatIsLeftOut(t *testing.T) {
	config := written(t, "tocsin.yaml", provisioned)
	code, out, err := ran(t, "provision", "--config", config, "--emit", "terraform")
	if code != 0 || !strings.HasPrefix(out, "# What tocsin needs") || !strings.Contains(err, "with --member\n") || !strings.Contains(err, "tells nobody: give --notification-channel") {
		t.Errorf("%d %q\n%s", code, err, out)
	}
	if _, _, err := ran(t, "provision", "--config", config, "--emit", "terraform", "--member", "user:a@b", "--notification-channel", "projects/p/notificationChannels/1"); err != "" {
		t.Errorf("with both: %q", err)
	}
}

// TestProvisionAsDescribed runs the commands of deploy/README.md that make the roles and the alert policy, with a gcloud that knows two
// notification channels: both are told.
func TestProvisionAsDescribed(t *testing.T) {
	cloud, err := fakes.NewCloudProject()
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	readme, err := os.ReadFile("../../deploy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var block string
	for _, b := range strings.Split(string(readme), "```") {
		if strings.HasPrefix(b, "sh\n") && strings.Contains(b, "./tocsin provision") {
			block = strings.TrimPrefix(b, "sh\n")
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"gcloud": "#!/bin/sh\ncase \"$*\" in\n*'channels list'*) printf 'projects/ops/notificationChannels/1\\nprojects/ops/notificationChannels/2\\n' ;;\n*'projects describe'*) echo 123 ;;\nesac\n",
		"tocsin": "#!/bin/sh\nfor a; do echo \"$a\"; done >>calls\necho . >>calls\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	sh := exec.Command("sh", "-eu", "-c", block)
	sh.Dir, sh.Env = dir, []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "OPS=ops"}
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, block, out)
	}
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Split(strings.TrimSuffix(string(calls), ".\n"), ".\n")
	if len(all) != 2 {
		t.Fatalf("it calls tocsin %d times:\n%s", len(all), calls)
	}
	for _, call := range all {
		args := strings.Fields(strings.ReplaceAll(call, "deploy/prow", "../../deploy/prow"))
		if code, out, stderr := ran(t, append(args, "--endpoint", cloud.Addr())...); code != 0 {
			t.Fatalf("%q: exit %d\n%s%s", args, code, out, stderr)
		}
	}
	want := []string{"projects/ops/notificationChannels/1", "projects/ops/notificationChannels/2"}
	if made := cloud.Alerts(); len(made) != 1 {
		t.Errorf("%d alert policies were made", len(made))
	} else if diff := cmp.Diff(want, made[0].GetNotificationChannels()); diff != "" {
		t.Errorf("the policy tells (-want +got)\n%s", diff)
	}
}
