package config

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/setting"
)

var wanted = regexp.MustCompile(`(?m)^# want: (.*)$`)

// TestBad reads each file in testdata/bad. Its comments say the mistakes that must be found, each by how it begins, and there
// must be no other. Places count the comments in.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, errs := Load(path)
			var left []string
			for _, e := range errs {
				left = append(left, strings.TrimPrefix(e.Error(), path+":"))
			}
			for _, m := range wanted.FindAllStringSubmatch(string(data), -1) {
				found := -1
				for i, text := range left {
					if strings.HasPrefix(text, m[1]) {
						found = i
					}
				}
				if found < 0 {
					t.Errorf("not said: %s", m[1])
					continue
				}
				left = append(left[:found], left[found+1:]...)
			}
			for _, text := range left {
				t.Errorf("not wanted: %s", text)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	f, errs := Load("testdata/good/tocsin.yaml")
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if diff := cmp.Diff(map[string]Person{"first": {Slack: "U0000001", PagerDuty: "P000001"}, "second": {Slack: "U0000002"}}, f.People); diff != "" {
		t.Errorf("people (-want +got)\n%s", diff)
	}
	if f.Lateness.Std() != time.Minute || f.Project != "k8s-infra-prow" || f.Fallback != "testing-ops" {
		t.Errorf("lateness %s, project %s, fallback %s", f.Lateness, f.Project, f.Fallback)
	}
	if got := f.Database(); got != "testdata/good/tocsin.db" {
		t.Errorf("database is %s", got)
	}
	for path, want := range map[string]string{"team/x.yaml": "testdata/good/team/x.yaml", "/etc/x.yaml": "/etc/x.yaml", "builtin:prow/*.yaml": "builtin:prow/*.yaml"} {
		if got := f.Resolve(path); got != want {
			t.Errorf("%s is resolved to %s, want %s", path, got, want)
		}
	}
	for path, want := range map[string]string{
		"sources.hook.http_probe.healthy.1": "4:100", "route.routes.1.receiver": "17:49", "rules.0": "5:9",
		"route.routes.1.recei": "17:7", "route.routes.7": "16:5", "nothing": "1:1",
	} {
		if got := f.Root.At(path).String(); got != "testdata/good/tocsin.yaml:"+want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
	if got := f.Root.KeyAt("fallback"); got.Column != 1 || got.Line != 9 {
		t.Errorf("the key is at %s", got)
	}
}

func TestLoadUnreadable(t *testing.T) {
	for path, want := range map[string]string{
		"testdata/no-such.yaml": "testdata/no-such.yaml: cannot be read: no such file or directory",
		"testdata":              "testdata: cannot be read: it is a directory, name a file in it",
	} {
		f, errs := Load(path)
		if f == nil || len(errs) != 1 || errs.Error() != want {
			t.Errorf("%v, want %s", errs, want)
		}
	}
}

func TestEmpty(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing\n", "---\n", "~\n"} {
		n, errs := Parse("f", []byte(text))
		if len(errs) > 0 || !n.IsZero() || n.Position().String() != "f:1:1" {
			t.Errorf("%q: %v at %s, mistakes %v", text, n.Kind(), n.Position(), errs)
		}
	}
}

type probe struct {
	URL     string            `yaml:"url"`
	Every   setting.Duration  `yaml:"every"`
	Healthy []int             `yaml:"healthy"`
	Secret  setting.Secret    `yaml:"secret"`
	Share   float64           `yaml:"share"`
	Small   uint8             `yaml:"small"`
	On      bool              `yaml:"on"`
	At      time.Time         `yaml:"at"`
	Any     any               `yaml:"any"`
	Raw     Node              `yaml:"raw"`
	Header  map[string]string `yaml:"header"`
	TLS     *tls              `yaml:"tls"`
	Checks  []tls             `yaml:"checks"`
	common  `yaml:",inline"`
	Old     any `yaml:"old,refused"`
	Ignored string
}

type common struct {
	Name string `yaml:"name"`
}

type tls struct {
	Days int `yaml:"days"`
}

func (t *tls) Validate() []setting.FieldError {
	if t.Days < 1 {
		return []setting.FieldError{{Path: "days", Text: "is less than 1"}}
	}
	return nil
}

func (p *probe) Validate() []setting.FieldError {
	var errs []setting.FieldError
	if p.URL == "" {
		errs = append(errs, setting.FieldError{Path: "url", Text: "url is missing"})
	}
	for i, code := range p.Healthy {
		if code < 100 {
			errs = append(errs, setting.FieldError{Path: fmt.Sprintf("healthy.%d", i), Text: "no status"})
		}
	}
	return errs
}

func TestDecode(t *testing.T) {
	n, errs := Parse("f", []byte(`
url: http://x
every: 1h30m
healthy: [200, 405]
secret: 12345
share: 0.5
small: 255
on: True
at: 2026-11-23T09:00:00-08:00
any: {a: [1, "1", 1.5, true, ~, 18446744073709551615]}
raw: {b: 2, a: [x, 0x10, 1_000, 1.50, 2026-11-23]}
header: {a: 5, b: 2.5, c: "010", d: 2026-11-23, e: yes, f: ~x, "": y}
tls:
checks: [{days: 3}]
name: n
`))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	got := probe{Ignored: "kept", Every: 7}
	errs = Decode(n, &got)
	// The null mapping of tls is asked too, and the empty name is refused.
	if diff := cmp.Diff("f:12:64: the name is empty: give it one\nf:13:5: days: is less than 1", errs.Error()); diff != "" {
		t.Errorf("mistakes (-want +got)\n%s", diff)
	}
	if text := string(got.Raw.JSON()); text != `{"b":2,"a":["x",16,1000,1.50,"2026-11-23"]}` {
		t.Errorf("raw is %s", text)
	}
	got.Raw = Node{}
	want := probe{
		URL: "http://x", Every: setting.Duration(90 * time.Minute), Healthy: []int{200, 405}, Secret: "12345", Share: 0.5, Small: 255, On: true,
		At:     time.Date(2026, 11, 23, 17, 0, 0, 0, time.UTC),
		Any:    map[string]any{"a": []any{int64(1), "1", 1.5, true, nil, uint64(18446744073709551615)}},
		Header: map[string]string{"a": "5", "b": "2.5", "c": "010", "d": "2026-11-23", "e": "yes", "f": "~x"},
		TLS:    &tls{}, Checks: []tls{{Days: 3}}, common: common{Name: "n"}, Ignored: "kept",
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(probe{}), cmp.Comparer(func(a, b Node) bool { return a.IsZero() && b.IsZero() })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDecodeMistakes(t *testing.T) {
	const known = "any, at, checks, every, header, healthy, name, on, raw, secret, share, small, tls, url"
	for _, test := range []struct{ text, want string }{
		{"url: x\nevery: 30", `f:2:8: every: "30" is not a duration: write a number with its unit, such as 30s, 5m, 12h or 7d`},
		{"url: x\nevery: [1s]", "f:2:8: every: found a list, want one value"},
		{"url: x\nhealthy: 200", "f:2:10: healthy: found the number 200, want a list: write [200]"},
		{"url: x\nhealthy: [\"200\"]", "f:2:11: healthy.0: found the text \"200\", want a whole number: write 200 without quotes"},
		{"url: x\nhealthy: [20, x]", "f:2:11: healthy.0: no status\nf:2:15: healthy.1: found the text \"x\", want a whole number"},
		{"url: x\nhealthy: [0o17]", "f:2:11: healthy.0: 0o17 is out of range or not written in plain decimal digits: want a whole number"},
		{"url: x\nhealthy: [1.0]", "f:2:11: healthy.0: found the number 1.0, want a whole number"},
		{"url: x\nsmall: 256", "f:2:8: small: 256 is out of range or not written in plain decimal digits: want a whole number, not negative"},
		{"url: x\nsmall: -1", "f:2:8: small: -1 is out of range or not written in plain decimal digits: want a whole number, not negative"},
		{"url: x\nshare: .inf", "f:2:8: share: found the number .inf, want a number"},
		{"url: x\non: yes", `f:2:5: on: found the text "yes", want true or false`},
		{"url: x\non: \"true\"", `f:2:5: on: found the text "true", want true or false`},
		{"url: x\nat: yesterday", `f:2:5: at: "yesterday" is not a time: write it as 2006-01-02T15:04:05Z or with an offset, 2006-01-02T15:04:05-08:00`},
		{"url: 1.10", `f:1:6: url: found the number 1.10, want text: write "1.10", in quotes, if that is meant`},
		{"url: {a: b}", "f:1:6: url: found a mapping, want text"},
		{"ur: x", `f:1:1: unknown key "ur": did you mean "url"? known: ` + known},
		{"u_R-l: x", `f:1:1: unknown key "u_R-l": did you mean "url"? known: ` + known},
		{"url: x\nzzzzzz: x", `f:2:1: unknown key "zzzzzz": known: ` + known},
		{"healthy: [200]", "f:1:1: url is missing"},
		{"url: x\nchecks: [{days: 1}, {}, {days: x}]", "f:2:21: days: is less than 1\nf:2:32: days: found the text \"x\", want a whole number"},
		{"url: x\nchecks: [{day: 1}]", `f:2:11: unknown key "day": did you mean "days"? known: days`},
		{"url: x\ntls: 5", "f:2:6: tls: found the number 5, want a mapping with days"},
		{"url: x\nheader: [a]", "f:2:9: header: found a list, want a mapping of names to values"},
		{"url: x\nheader: {a: ~}", "f:2:13: a: has no value: write text, or leave the key out"},
		{"[a]", "f:1:1: found a list, want a mapping with " + known},
		{"x", `f:1:1: found the text "x", want a mapping with ` + known},
		{"", "f:1:1: url is missing"},
		{"a: &a {url: x}\n", `f:1:1: unknown key "a": known: ` + known + "\nf:1:1: url is missing"},
	} {
		n, errs := Parse("f", []byte(test.text))
		if len(errs) > 0 {
			t.Fatalf("%q: %v", test.text, errs)
		}
		if diff := cmp.Diff(test.want, Decode(n, &probe{}).Error()); diff != "" {
			t.Errorf("%q (-want +got)\n%s", test.text, diff)
		}
	}
	for _, target := range []any{nil, probe{}, (*probe)(nil), new(chan int), new(map[int]string), new(func())} {
		if errs := Decode(Node{v: &value{kind: Mapping}}, target); len(errs) == 0 {
			t.Errorf("decoding into %T is no mistake", target)
		}
	}
}

func TestMerge(t *testing.T) {
	n, errs := Parse("f", []byte("base: &b {x: 1, y: 1}\nmore: &m {y: 2, z: 2}\none: {y: 0, <<: *b}\ntwo: {<<: [*b, *m], z: 3}\n"))
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if got := string(n.JSON()); got != `{"base":{"x":1,"y":1},"more":{"y":2,"z":2},"one":{"y":0,"x":1},"two":{"z":3,"x":1,"y":1}}` {
		t.Error(got)
	}
}

func TestLocate(t *testing.T) {
	n, _ := Parse("f", []byte("a: {b.c: [1, 2]}\n"))
	got := n.Locate(setting.FieldError{Path: "a.b.c.1", Text: "two"}, setting.FieldError{Text: "all"}, setting.FieldError{Path: "a.d", Text: "d is missing"})
	if want := "f:1:1: all\nf:1:4: d is missing\nf:1:14: a.b.c.1: two"; got.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", got, want)
	}
	if Errors(nil).Err() != nil || got.Err() == nil {
		t.Error("Err does not tell mistakes from none")
	}
}

type kind interface{ Validate() []setting.FieldError }

func TestDecodeKind(t *testing.T) {
	kinds := map[string]func() kind{"probe": func() kind { return &probe{URL: "default"} }, "tls": func() kind { return &tls{Days: 1} }}
	for _, test := range []struct{ text, name, want string }{
		{"probe: {url: x}", "probe", ""},
		{"probe:", "probe", ""},
		{"probe: {ur: x}", "probe", `f:1:9: unknown key "ur": did you mean "url"?`},
		{"tls: {days: 0}", "tls", "f:1:13: days: is less than 1"},
		{"prob: {}", "prob", `f:1:1: unknown kind of source "prob": did you mean "probe"? known: probe, tls`},
		{"probe: {}\ntls: {}", "", "f:2:1: this source has two kinds, probe and tls"},
		{"probe: {}\nurl: x", "", `f:2:1: unknown kind of source "url"`},
		{"probe", "", `f:1:1: found the text "probe": write {probe: {}}`},
		{"[probe]", "", "f:1:1: found a list, want a kind of source with its settings, such as {probe: {...}}; kinds: probe, tls"},
		{"{}", "", "f:1:1: found a mapping, want a kind of source"},
		{"", "", "f:1:1: found nothing, want a kind of source"},
	} {
		n, errs := Parse("f", []byte(test.text))
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		name, spec, errs := DecodeKind(n, "source", kinds)
		if name != test.name || (test.want == "") != (len(errs) == 0) || !strings.HasPrefix(errs.Error(), test.want) {
			t.Errorf("%q: %s with mistakes %v, want %s with %s", test.text, name, errs, test.name, test.want)
		}
		if test.want == "" && spec.(*probe).URL == "" {
			t.Errorf("%q: the default is lost", test.text)
		}
	}
}

func TestSyntaxPlaces(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"a: 1\nb: [1, 2\nc: 3\n", "f:2:1: did not find expected ',' or ']'"},
		{"a: 'x\nb: 2\n", "f:1:1: found unexpected end of stream: a quote"},
		{"x: 1\na: b: c\n", "f:2:1: mapping values are not allowed"},
		{"- a\nb: 1\n", "f:2:1: did not find expected '-' indicator"},
		{"a: 1\nb: @x\n", "f:2:1: found character that cannot start any token"},
		{"a: 1\nfoo\nb: 2\n", "f:2:1: could not find expected ':'"},
		{"a:\n  - b: 1\n    c: 2\n   d: 3\n", "f:4:4: did not find expected"},
		{strings.Repeat("[", 200), "f:1:1: "},
		{strings.Repeat("a: 1\n", 3)[:10] + strings.Repeat("{", 20000), "f:"},
		{strings.Repeat("- ", 150) + "x", "f:1:201: nested more than 100 levels deep"},
		{"\ufeffa: [\n", "f:2:1: did not find expected node content"},
	} {
		_, errs := Parse("f", []byte(test.text))
		if len(errs) == 0 || !strings.HasPrefix(errs.Error(), test.want) {
			t.Errorf("%.40q: %v, want %s", test.text, errs, test.want)
		}
	}
	if _, errs := Parse("f", make([]byte, maxBytes+1)); len(errs) != 1 || !strings.Contains(errs.Error(), "at most 4194304 are read") {
		t.Errorf("a file that is too long: %v", errs)
	}
}

func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*/*.yaml")
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		n, errs := Parse("f", data)
		for _, e := range errs {
			if e.File != "f" || e.Line < 0 || e.Text == "" || e.Line > strings.Count(string(data), "\n")+2 {
				t.Fatalf("a mistake without a place or a text: %#v", e)
			}
		}
		Decode(n, &File{})
		var anything any
		Decode(n, &anything)
		if n.Kind() == Mapping || n.Kind() == List {
			n.JSON()
		}
	})
}
