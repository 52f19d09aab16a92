package app

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"tocsin/internal/logs"
	"tocsin/rules"
)

// draft is a rule that is made of an entry.
type draft struct {
	e       *logs.Entry
	name    string
	clauses []string
	group   [][2]string // label, path
	words   string      // the path of what the entry says
}

// NewRule writes a rule file that finds entries like this one: its filter, its groups, a case that fires, and one of the same line from another
// place that stays silent. name is the rule's; "" makes one. What it wrote has been read and its cases have been proved; the warnings are
// what check says of it.
func NewRule(e *logs.Entry, name string) (text string, warnings []string, err error) {
	if e.Broken {
		return "", nil, fmt.Errorf("the entry is broken (cut, not UTF-8, or nested too deep): a rule is made of one that can be read")
	}
	d := &draft{e: e, name: name}
	d.place()
	d.said()
	d.groups()
	if d.name == "" {
		d.name = d.title()
	}
	if len(d.clauses) == 0 {
		return "", nil, fmt.Errorf("the entry says neither where it is from nor what is wrong: a rule made of it would match everything")
	}
	text = d.text()
	list, errs := rules.Read("rule", []byte(text))
	if len(errs) > 0 {
		return "", nil, fmt.Errorf("a rule of this entry would be refused: %w", errs.Err())
	}
	for _, c := range list[0].Cases {
		diff, err := list[0].Prove(c)
		if err != nil {
			return "", nil, err
		}
		if len(diff) > 0 {
			return "", nil, fmt.Errorf("the case %q does not hold: %s", c.Name, strings.Join(diff, "; "))
		}
	}
	for _, w := range list[0].Lints() {
		warnings = append(warnings, w.Text)
	}
	return text, warnings, nil
}

// at is the text at a path of the entry.
func (d *draft) at(path ...string) string {
	v := d.e.Root
	for _, name := range path {
		v = v.Get(name)
	}
	return v.Text()
}

// place asks for where the entry is from.
func (d *draft) place() {
	equal := func(path, value string) {
		if value != "" {
			d.clauses = append(d.clauses, path+"="+quoteLQL(value))
		}
	}
	equal("resource.type", d.at("resource", "type"))
	if id := d.e.LogName(); strings.HasSuffix(id, "/logs/events") || strings.Contains(id, "tocsin%2F") {
		d.clauses = append(d.clauses, `log_id(`+quoteLQL(strings.ReplaceAll(id[strings.LastIndexByte(id, '/')+1:], "%2F", "/"))+`)`)
	}
	cluster := d.at("resource", "labels", "cluster_name")
	if cluster == "" {
		equal("resource.labels.project_id", d.at("resource", "labels", "project_id"))
	}
	for _, label := range []string{"cluster_name", "namespace_name", "namespace_id", "container_name", "url_map_name", "forwarding_rule_name"} {
		equal("resource.labels."+label, d.at("resource", "labels", label))
	}
	equal("labels.probe", d.at("labels", "probe"))
}

// said asks for what the entry says.
func (d *draft) said() {
	for _, name := range []string{"level", "reason"} {
		if v := d.at("jsonPayload", name); v != "" {
			d.clauses = append(d.clauses, "jsonPayload."+name+"="+quoteLQL(v))
		}
	}
	if status := d.at("httpRequest", "status"); status != "" && d.at("labels", "probe") == "" {
		d.clauses = append(d.clauses, "httpRequest.status="+quoteLQL(status))
		d.words = "httpRequest.status"
	}
	if d.at("jsonPayload", "success") == "false" {
		d.clauses = append(d.clauses, "jsonPayload.success=false")
		d.words = "jsonPayload.error"
	}
	for _, path := range [][]string{{"jsonPayload", "msg"}, {"jsonPayload", "message"}, {"textPayload"}} {
		v := d.at(path...)
		if v == "" {
			continue
		}
		d.words = strings.Join(path, ".")
		switch lasting := unchanging(v); {
		case lasting == v && len(v) <= longestText:
			d.clauses = append(d.clauses, d.words+"="+quoteLQL(v))
		case lasting != "":
			d.clauses = append(d.clauses, d.words+":"+quoteLQL(lasting))
		}
		break
	}
	severity := d.at("severity")
	if severity != "" && severity != "DEFAULT" && d.at("jsonPayload", "level") == "" {
		d.clauses = append(d.clauses, "severity>="+severity)
	}
}

// changing is what another entry of the kind says otherwise: numbers, identifiers, addresses, what is quoted.
var changing = regexp.MustCompile(`"[^"]*"|'[^']*'|\S*[0-9]\S*|[^\x20-\x7e]+|\S*[/@\\]\S*`)

// unchanging is the longest part of a text that does not change from entry to entry: the whole text, if nothing in it does.
func unchanging(text string) string {
	first, _, _ := strings.Cut(text, "\n")
	longest := ""
	for _, part := range changing.Split(first, -1) {
		if part = strings.Trim(part, " "); len(part) > len(longest) {
			longest = part
		}
	}
	if len(longest) > longestText {
		longest = longest[:longestText]
	}
	if len(longest) < 4 {
		return ""
	}
	return longest
}

// quoteLQL writes text so that the query language reads it back.
func quoteLQL(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, text)
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// groups takes the labels that the entry has: where it is from, and its component.
func (d *draft) groups() {
	if d.at("resource", "labels", "cluster_name") != "" {
		d.group = append(d.group, [2]string{"cluster", "resource.labels.cluster_name"})
	}
	for _, service := range []struct {
		path  string
		value string
	}{
		{`labels."logging.gke.io/top_level_controller_name"`, d.at("labels", "logging.gke.io/top_level_controller_name")},
		{`labels."k8s-pod/app"`, d.at("labels", "k8s-pod/app")}, {"resource.labels.container_name", d.at("resource", "labels", "container_name")},
	} {
		if service.value != "" {
			d.group = append(d.group, [2]string{"service", service.path})
			return
		}
	}
	if d.at("labels", "probe") != "" {
		d.group = append(d.group, [2]string{"probe", "labels.probe"})
	}
}

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

// title makes a name of the component and the first words.
func (d *draft) title() string {
	service := d.at("resource", "labels", "container_name")
	if service == "" {
		service = d.at("labels", "probe")
	}
	said := d.at("jsonPayload", "reason")
	if said == "" && d.words != "" {
		said = unchanging(d.at(strings.Split(d.words, ".")...))
	}
	if said == "" {
		said = "found"
	}
	words := strings.Split(strings.Trim(notWord.ReplaceAllString(strings.ToLower(service+" "+said), "-"), "-"), "-")
	name := strings.Join(words[:min(len(words), 6)], "-")
	if name == "" {
		return "new-rule"
	}
	return strings.Trim(name[:min(len(name), 60)], "-")
}

// text is the rule file.
func (d *draft) text() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("rules:")
	line("  - name: %s", d.name)
	line("    filter: |")
	for _, c := range d.clauses {
		line("      %s", c)
	}
	if len(d.group) > 0 {
		line("    group_by:")
	}
	for _, g := range d.group {
		line("      %s: %s", g[0], g[1])
	}
	line("    # how many entries within what time; `for: 10m` beside it asks that they go on")
	line("    detect: {threshold: {count: 1, window: 15m}}")
	line("    # what only the living write, as alive, says that quiet is health")
	line("    resolves: {on_quiet: {after: 20m}}")
	line("    severity: warning")
	line("    # recorded and sent nowhere, until it has shown what it is worth; then tell, then page")
	line("    mode: shadow")
	line("    annotations:")
	line("      summary: '%s'", d.summary())
	line("    cases:")
	line("      - name: the line it was made of")
	line("        entries:")
	line("          - '%s'", inYAML(d.entry(nil)))
	line("        fires: [{at: 0s}]")
	what, changed := d.elsewhere()
	line("      - name: %s", what)
	line("        entries:")
	line("          - '%s'", inYAML(d.entry(changed)))
	line("        fires: []")
	return b.String()
}

// summary is the template of the words.
func (d *draft) summary() string {
	who := ""
	for _, g := range d.group {
		if g[0] != "cluster" {
			who = "{{ .Labels." + g[0] + " }}: "
		}
	}
	if d.words == "" {
		return who + d.name
	}
	said := who + "{{ .Entry." + d.words + " }}"
	if d.at("jsonPayload", "error") != "" && d.words != "jsonPayload.error" {
		said += " {{ .Entry.jsonPayload.error }}"
	}
	return said
}

// elsewhere is what the same line has of another place, so that the rule must stay silent.
func (d *draft) elsewhere() (name string, changed map[string]string) {
	for _, c := range []struct{ path, value, name string }{
		{"resource.labels.namespace_name", "test-pods", "the same line from a test job"}, {"resource.labels.namespace_id", "test-pods", "the same line from a test job"},
		{"resource.labels.cluster_name", "another", "the same line from another cluster"}, {"labels.probe", "another", "the same line of another probe"},
		{"resource.labels.url_map_name", "another", "the same line of another load balancer"}, {"resource.labels.project_id", "another", "the same line from another project"},
	} {
		if have := d.at(strings.Split(c.path, ".")...); have != "" && have != c.value && slices.ContainsFunc(d.clauses, func(s string) bool { return strings.HasPrefix(s, c.path+"=") }) {
			return c.name, map[string]string{c.path: c.value}
		}
	}
	changed = map[string]string{"severity": "INFO"}
	for _, path := range []string{"jsonPayload.level", "jsonPayload.reason", "jsonPayload.msg", "jsonPayload.message", "textPayload", "httpRequest.status"} {
		if d.at(strings.Split(path, ".")...) != "" {
			changed[path] = map[bool]string{true: "200", false: "well"}[path == "httpRequest.status"]
		}
	}
	return "what it says when it is well", changed
}

// entry is the entry as JSON, without what a case does not need, with some values changed.
func (d *draft) entry(changed map[string]string) string {
	out := logs.Value{Kind: logs.Object}
	for _, name := range []string{"timestamp", "insertId", "severity", "logName", "resource", "labels", "httpRequest", "jsonPayload", "textPayload"} {
		if v := d.e.Root.Get(name); v.Kind != logs.Missing {
			out.Members = append(out.Members, logs.Member{Name: name, Value: otherwise(v, name, changed)})
		}
	}
	return string(visible(out.AppendJSON(nil)))
}

// otherwise is a value with those changed that the paths lead to.
func otherwise(v logs.Value, path string, changed map[string]string) logs.Value {
	if text, ok := changed[path]; ok {
		return logs.Value{Kind: logs.String, Str: text}
	}
	members := slices.Clone(v.Members)
	for i := range members {
		members[i].Value = otherwise(members[i].Value, path+"."+members[i].Name, changed)
	}
	v.Members = members
	return v
}

// inYAML is text within single quotes.
func inYAML(text string) string { return strings.ReplaceAll(text, "'", "''") }
