package words_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tocsin/internal/words"
)

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Minute: "less than a second", 0: "less than a second", time.Second: "1 second", 12 * time.Second: "12 seconds",
		89 * time.Second: "89 seconds", 90 * time.Second: "2 minutes", 41 * time.Minute: "41 minutes", 3*time.Hour + 10*time.Minute: "3 h 10 min",
		17 * time.Hour: "17 h", 52 * time.Hour: "2 days 4 h", 48 * time.Hour: "2 days", 36 * time.Hour: "1 day 12 h",
	} {
		if got := words.Duration(d); got != want {
			t.Errorf("Duration(%v) = %q, want %q", d, got, want)
		}
	}
}

func TestTimeCountNames(t *testing.T) {
	at := time.Date(2019, 1, 22, 23, 28, 49, 0, time.UTC)
	for _, c := range []struct{ got, want string }{
		{words.Time(at, at.Add(time.Hour)), "23:28:49 UTC"},
		{words.Time(at, at.Add(13*time.Hour)), "2019-01-22 23:28:49 UTC"},
		{words.Time(time.Time{}, at), ""},
		{words.Count(0), "0"}, {words.Count(999), "999"}, {words.Count(9689), "9,689"}, {words.Count(-1234567), "-1,234,567"},
		{words.Lines(1, false), "1 line"}, {words.Lines(12000, true), "about 12,000 lines"},
		{words.Names(nil, 3), ""}, {words.Names([]string{"hook"}, 3), "hook"}, {words.Names([]string{"hook", "deck"}, 3), "hook and deck"},
		{words.Names([]string{"a", "b", "c", "d", "e"}, 3), "a, b, c and 2 more"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// hostile are texts that a log line may bring, and what a person may see of them.
var hostile = []struct{ name, in, clean, slack, terminal string }{
	{"a broadcast", "<!channel> look", "<!channel> look", "&lt;!channel&gt; look", "<!channel> look"},
	{"a mention", "<@U0000001>", "<@U0000001>", "&lt;@U0000001&gt;", "<@U0000001>"},
	{"a faked link", "<https://evil.example|https://good.example>", "<https://evil.example|https://good.example>", "&lt;https://evil.example|https://good.example&gt;", "<https://evil.example|https://good.example>"},
	{"escaped twice", "&lt;!channel&gt;", "&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;", "&lt;!channel&gt;"},
	{"a colour", "\x1b[31mred\x1b[0m", "red", "red", `\x1b[31mred\x1b[0m`},
	{"a title of the terminal", "a\x1b]0;owned\x07b", "ab", "ab", `a\x1b]0;owned\x07b`},
	{"a clipboard string that is never ended", "a\x1b]52;c;AAAA", "a52;c;AAAA", "a52;c;AAAA", `a\x1b]52;c;AAAA`},
	{"C1 control sequence", "a\u009b31mb", "ab", "ab", `a\x9b31mb`},
	{"right to left override", "exe\u202ecod.txt", "execod.txt", "execod.txt", `exe\u202ecod.txt`},
	{"no width", "pass\u200bword\ufeff", "password", "password", `pass\u200bword\ufeff`},
	{"tags", "a\U000e0041b", "ab", "ab", `a\u0e0041b`},
	{"NUL and bell", "a\x00b\x07c", "abc", "abc", `a\x00b\x07c`},
	{"not UTF-8", "a\xffb", "a\ufffdb", "a\ufffdb", `a\xffb`},
	{"carriage return", "safe\rrm -rf", "safe rm -rf", "safe\nrm -rf", `safe\x0drm -rf`},
	{"lines", "a\r\nb\u2028c", "a b c", "a\nb\nc", `a\x0d` + "\n" + `b\u2028c`},
	{"marks in heaps", "e\u0301\u0301\u0301\u0301\u0301", "e\u0301\u0301\u0301", "e\u0301\u0301\u0301", "e\u0301\u0301\u0301\u0301\u0301"},
}

func TestHostile(t *testing.T) {
	for _, c := range hostile {
		t.Run(c.name, func(t *testing.T) {
			for _, each := range []struct{ what, got, want string }{
				{"Clean", words.Clean(c.in, 100), c.clean}, {"Slack", words.Slack(c.in), c.slack}, {"Terminal", words.Terminal(c.in), c.terminal},
			} {
				if each.got != each.want {
					t.Errorf("%s = %q, want %q", each.what, each.got, each.want)
				}
			}
		})
	}
}

func TestCutKeepsBothEnds(t *testing.T) {
	s := "panic: " + strings.Repeat("x", 1000) + " cause: preset-aws-credential"
	got := words.Clean(s, 90)
	if n := utf8.RuneCountInString(got); n != 90 {
		t.Errorf("%d runes, want 90: %q", n, got)
	}
	if !strings.HasPrefix(got, "panic: ") || !strings.HasSuffix(got, "preset-aws-credential") || !strings.Contains(got, "…") {
		t.Errorf("the ends are not kept: %q", got)
	}
	for _, max := range []int{0, 1, 2, 3} {
		if n := utf8.RuneCountInString(words.Cut("äöüß", max)); n > max {
			t.Errorf("Cut to %d has %d runes", max, n)
		}
	}
}

func TestSlackCode(t *testing.T) {
	got := words.SlackCode("a ```<!here>``` `` b", 200)
	if want := "```\na ˋˋˋ&lt;!here&gt;ˋˋˋ `` b\n```"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, s := range []string{strings.Repeat("&", 256<<10), strings.Repeat("`", 5000), ""} {
		got := words.SlackCode(s, 500)
		if n := utf8.RuneCountInString(got); n > 500 || strings.Count(got, "```") != 2 {
			t.Errorf("%d characters, %d fences", n, strings.Count(got, "```"))
		}
	}
}

func TestSlackLink(t *testing.T) {
	for _, c := range []struct{ address, want string }{
		{"https://go.k8s.io/runbook?a=1&b=2", "<https://go.k8s.io/runbook?a=1&amp;b=2|Run &lt;book&gt;>"},
		{"javascript:alert(1)", "Run &lt;book&gt;"},
		{"https://good.example@evil.example/", "Run &lt;book&gt;"},
		{"https://a/|<!channel>", "<https://a/%7C%3C%21channel%3E|Run &lt;book&gt;>"},
		{"//evil.example", "Run &lt;book&gt;"},
		{"", "Run &lt;book&gt;"},
	} {
		got := words.SlackLink(c.address, "Run <book>")
		if got != c.want && got != strings.ReplaceAll(c.want, "%21", "!") {
			t.Errorf("SlackLink(%q) = %q, want %q", c.address, got, c.want)
		}
	}
}

func TestRedact(t *testing.T) {
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
	for _, c := range []struct{ in, want string }{
		{"token xoxb-123456789012-abcdefGHIJKL rest", "token <redacted> rest"},
		{"key AKIAIOSFODNN7EXAMPLE.", "key <redacted>."},
		{"ghp_16C7e42F292c6912E7710c838347Ae178B4a", "<redacted>"},
		{"github_pat_11ABCDEFG0abcdefghijkl_MNOPQRSTUVWX", "<redacted>"},
		{"jwt=" + jwt + ";", "jwt=<redacted>;"},
		{`{"authorization":"Bearer abcdefgh12345678"}`, `{"authorization":"Bearer <redacted>"}`},
		{"Authorization: Basic dXNlcjpwYXNzd29yZA==", "Authorization: Basic <redacted>"},
		{"cloning https://bot:s3cr3t@github.com/x.git", "cloning https://<redacted>@github.com/x.git"},
		{"postgres://u:p@ss@db:5432/x", "postgres://<redacted>@db:5432/x"},
		{"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- after", "<redacted> after"},
		{`"-----BEGIN PRIVATE KEY-----\nMIIEcut`, `"<redacted>`},
		{"https://hooks.slack.com/services/T0/B0/abcDEF", "https://hooks.slack.com/services/<redacted>"},
		{"glpat-abcdefghijklmnop1234 npm_abcdefghijklmnopqrst0123 sk_live_abcdefghijklmnop", "<redacted> <redacted> <redacted>"},
		{"SG.abcdefghijklmnop.qrstuvwxyz0123456789", "<redacted>"},
		{`AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfi {"session_token":"FwoGZXIvYXdzEBY"} failed to sync secret cache`, `AWS_SECRET_ACCESS_KEY=<redacted> {"session_token":"<redacted>"} failed to sync secret cache`},
		{`login password=hunter22 of {"client_secret": "abc-def-ghi"} and {\"api_key\":\"0123456789\"}`, `login password=<redacted> of {"client_secret": "<redacted>"} and {\"api_key\":\"<redacted>\"}`},
		{"paid with 4111111111111111.", "paid with <redacted>."},
		{"4111 1111 1111 1111, 5555-5555-5555-4444; 378282246310005 12 times; 3782 822463 10005", "<redacted>, <redacted>; <redacted> 12 times; <redacted>"},
		// and what is no secret stays
		{"4111111111111112 has a wrong digit, 41111111111111111 one too many, 0.4111111111111111 is a share", "4111111111111112 has a wrong digit, 41111111111111111 one too many, 0.4111111111111111 is a share"},
		{"at 1548199748000100, 1548199748000, 1548199748000100000, build 1354218432012345344, project 123456789012", "at 1548199748000100, 1548199748000, 1548199748000100000, build 1354218432012345344, project 123456789012"},
		{"id 550e8400-e29b-4111-1111-111111111111, trace 4bf92f3577b34da6a3ce929d0e0e4736, insertId 1a4111111111111111b", "id 550e8400-e29b-4111-1111-111111111111, trace 4bf92f3577b34da6a3ce929d0e0e4736, insertId 1a4111111111111111b"},
		{"gcr.io/k8s-prow/hook@sha256:4111111111111111aaaa of 2019-01-22T23:28:49.411111111Z", "gcr.io/k8s-prow/hook@sha256:4111111111111111aaaa of 2019-01-22T23:28:49.411111111Z"},
		{"secret default/hmac-token, password: wrong, the password is old, token_file: /etc/token", "secret default/hmac-token, password: wrong, the password is old, token_file: /etc/token"},
		{"ana@example.com has it", "ana@example.com has it"}, // a name under which somebody acts
		{"duplicated preset label : preset-aws-credential", "duplicated preset label : preset-aws-credential"},
		{"git clone ssh://git@github.com/x at http://a:8080/b", "git clone ssh://git@github.com/x at http://a:8080/b"},
		{"the bearer of news, a basic idea, eyJust", "the bearer of news, a basic idea, eyJust"},
	} {
		got := words.Redact(c.in)
		if got != c.want {
			t.Errorf("Redact(%q) = %q, want %q", c.in, got, c.want)
		}
		if again := words.Redact(got); again != got {
			t.Errorf("twice: %q, then %q", got, again)
		}
	}
	// What hides a secret from the pattern is taken out before the pattern looks.
	if got := words.Clean("xoxb-1234\u200b56789012-\x1b[1mabcdef", 100); got != "<redacted>" {
		t.Errorf("a secret with a character of no width in it: %q", got)
	}
}

// TestExcerpt: of a log's text mail addresses go too; what only looks like one stays.
func TestExcerpt(t *testing.T) {
	for in, want := range map[string]string{
		"mail to ana.b+ci@lists.example.co.uk failed":                        "mail to <redacted> failed",
		`{"author":"Ana <ana@example.com>","token":"xoxb-123456789012-abc"}`: `{"author":"Ana <<redacted>>","token":"<redacted>"}`,
		"a@b.io,c@d.io": "<redacted>,<redacted>",
		// and these stay
		"@oncall, @first look; u@localhost":                                                      "@oncall, @first look; u@localhost",
		"prow@k8s-infra-prow.iam.gserviceaccount.com may not":                                    "prow@k8s-infra-prow.iam.gserviceaccount.com may not",
		"git@github.com:kubernetes/test-infra.git":                                               "git@github.com:kubernetes/test-infra.git",
		"getty@tty1.service, run-user@1000.mount failed":                                         "getty@tty1.service, run-user@1000.mount failed",
		"gcr.io/k8s-prow/hook@sha256:0123456789abcdef, lodash@4.17.21, k8s.io/api@v0.20.0":       "gcr.io/k8s-prow/hook@sha256:0123456789abcdef, lodash@4.17.21, k8s.io/api@v0.20.0",
		"cloning https://bot:s3cr3t@github.com/x.git":                                            "cloning https://<redacted>@github.com/x.git",
		"pod ci-kubernetes-e2e-7d9f8b6c5d-x2x4q of default, node gke-prow-pool-n1-1a2b3c4d-v0zx": "pod ci-kubernetes-e2e-7d9f8b6c5d-x2x4q of default, node gke-prow-pool-n1-1a2b3c4d-v0zx",
	} {
		got := words.Excerpt(in)
		if got != want {
			t.Errorf("Excerpt(%q) = %q, want %q", in, got, want)
		}
		if again := words.Excerpt(got); again != got {
			t.Errorf("twice: %q, then %q", got, again)
		}
	}
}

// TestNothingToRedactCostsNothing: most lines hold no secret, and each match is looked through.
func TestNothingToRedactCostsNothing(t *testing.T) {
	line := strings.Repeat(`{"component":"hook","level":"error","msg":"Error loading config.","time":"2019-01-22T23:28:49Z","build":1354218432012345344} `, 20)
	if n := testing.AllocsPerRun(100, func() { _ = words.Excerpt(line) }); n != 0 {
		t.Errorf("a line of %d bytes without a secret costs %v allocations", len(line), n)
	}
}

func FuzzWords(f *testing.F) {
	for _, c := range hostile {
		f.Add(c.in)
	}
	f.Add("``````")
	f.Fuzz(func(t *testing.T, s string) {
		if got := words.Slack(s); strings.ContainsAny(got, "<>") || !utf8.ValidString(got) {
			t.Errorf("Slack(%q) = %q holds markup", s, got)
		}
		code := words.SlackCode(s, 300)
		if strings.Count(code, "```") != 2 || strings.ContainsAny(code, "<>") || utf8.RuneCountInString(code) > 300 {
			t.Errorf("SlackCode(%q) = %q", s, code)
		}
		clean := words.Clean(s, 80)
		if !utf8.ValidString(clean) || utf8.RuneCountInString(clean) > 80 || strings.ContainsAny(clean, "\n\r\x1b\x00") {
			t.Errorf("Clean(%q) = %q", s, clean)
		}
		for _, r := range words.Terminal(s) {
			if r < 0x20 && r != '\n' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x202e {
				t.Errorf("Terminal(%q) keeps %U", s, r)
			}
		}
		if link := words.SlackLink(s, s); strings.Count(link, ">") > 1 || strings.Count(link, "<") > 1 || strings.Contains(link, "\n") {
			t.Errorf("SlackLink(%q) = %q", s, link)
		}
	})
}
