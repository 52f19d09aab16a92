package cloudsetup

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Terraform is what Apply would make, as a file for Terraform with the provider hashicorp/google. The same input gives the same bytes.
func Terraform(w Wanted) string {
	t := &terraform{names: map[string]string{}}
	t.line("# What tocsin needs in Google Cloud; made by `tocsin provision --emit terraform`. Make it anew when the rules change: the")
	t.line("# sinks' filters are theirs.")
	t.line("")
	t.line("terraform {")
	t.line("  required_providers {")
	t.line("    google = {")
	t.line("      source  = %s", quoted("hashicorp/google"))
	t.line("      version = %s", quoted(">= 5.0"))
	t.line("    }")
	t.line("  }")
	t.line("}")
	for _, s := range w.Subscriptions {
		t.subscription(s, w.Member)
	}
	for _, g := range w.Grants {
		if w.Member != "" {
			t.grant(g, w.Member)
		}
	}
	t.silent(w.Project, w.Silent)
	return t.text.String()
}

type terraform struct {
	text  strings.Builder
	names map[string]string
}

func (t *terraform) line(format string, args ...any) { fmt.Fprintf(&t.text, format+"\n", args...) }

// block writes a resource whose attributes are pairs of a name and a written value, lined up as terraform fmt does.
func (t *terraform) block(kind, name string, attributes ...string) {
	t.line("")
	t.line("resource %s %s {", quoted(kind), quoted(name))
	t.attributes("  ", attributes)
	t.line("}")
}

func (t *terraform) attributes(indent string, pairs []string) {
	longest := 0
	for pair := range slices.Chunk(pairs, 2) {
		longest = max(longest, len(pair[0]))
	}
	for pair := range slices.Chunk(pairs, 2) {
		t.line("%s%-*s = %s", indent, longest, pair[0], pair[len(pair)-1])
	}
}

// name is a resource's name in Terraform, the same for the same thing and another for every other.
func (t *terraform) name(full string) string {
	if n, ok := t.names[full]; ok {
		return n
	}
	base := strings.Trim(notName.ReplaceAllString(full, "_"), "_")
	name := base
	for i := 2; slices.Contains(slices.Collect(maps.Values(t.names)), name); i++ {
		name = base + "_" + strconv.Itoa(i)
	}
	t.names[full] = name
	return name
}

var notName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)

// quoted is a string as HCL writes it: what begins a template in it is taken literally.
func quoted(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return `"` + strings.NewReplacer("${", "$${", "%{", "%%{").Replace(b.String()) + `"`
}

// split are a full name's project and its last part.
func split(full string) (project, id string) {
	parts := strings.Split(full, "/")
	return parts[1], parts[len(parts)-1]
}

func (t *terraform) subscription(s Subscription, member string) {
	project, topic := split(s.Topic)
	topicName := t.name("topic " + s.Topic)
	t.block("google_pubsub_topic", topicName, "project", quoted(project), "name", quoted(topic))
	subProject, sub := split(s.Name)
	subName := t.name("subscription " + s.Name)
	t.line("")
	t.line("resource %s %s {", quoted("google_pubsub_subscription"), quoted(subName))
	t.attributes("  ", []string{"project", quoted(subProject), "name", quoted(sub), "topic", "google_pubsub_topic." + topicName + ".id",
		"ack_deadline_seconds", strconv.Itoa(ackDeadline), "message_retention_duration", quoted(fmt.Sprintf("%ds", int(kept.Seconds())))})
	t.line("")
	t.line("  expiration_policy {")
	t.line("    ttl = %s # it never expires", quoted(""))
	t.line("  }")
	t.line("}")
	for _, sink := range s.Sinks {
		t.sink(sink, topicName)
	}
	if member != "" {
		t.block("google_pubsub_subscription_iam_member", subName, "project", quoted(subProject), "subscription", "google_pubsub_subscription."+subName+".name",
			"role", quoted("roles/pubsub.subscriber"), "member", quoted(member))
	}
}

// sinks are Terraform's kinds of sink, and the attribute that names their parent.
var sinks = map[string]struct{ kind, parent string }{
	"projects": {"google_logging_project_sink", "project"}, "folders": {"google_logging_folder_sink", "folder"}, "organizations": {"google_logging_organization_sink", "org_id"},
}

func (t *terraform) sink(s Sink, topic string) {
	parent, id, _ := strings.Cut(s.Parent, "/")
	k, name := sinks[parent], t.name("sink "+s.full())
	attributes := []string{k.parent, quoted(id), "name", quoted(s.Name), "destination", fmt.Sprintf(`"pubsub.googleapis.com/${google_pubsub_topic.%s.id}"`, topic), "filter", quoted(s.Filter)}
	if parent == "projects" {
		attributes = append(attributes, "unique_writer_identity", "true")
	} else {
		attributes = append(attributes, "include_children", "true")
	}
	t.block(k.kind, name, attributes...)
	t.block("google_pubsub_topic_iam_member", name, "project", "google_pubsub_topic."+topic+".project", "topic", "google_pubsub_topic."+topic+".name",
		"role", quoted("roles/pubsub.publisher"), "member", k.kind+"."+name+".writer_identity")
}

// members are Terraform's kinds of a member's role, and the attribute that names the resource.
var members = map[string]struct{ kind, resource string }{
	"projects": {"google_project_iam_member", "project"}, "folders": {"google_folder_iam_member", "folder"}, "organizations": {"google_organization_iam_member", "org_id"},
}

func (t *terraform) grant(g Grant, member string) {
	kind, id, _ := strings.Cut(g.Resource, "/")
	m := members[kind]
	t.line("")
	t.line("resource %s %s {", quoted(m.kind), quoted(t.name("grant "+g.Role+" "+g.Resource+" "+g.View)))
	t.attributes("  ", []string{m.resource, quoted(id), "role", quoted(g.Role), "member", quoted(member)})
	if g.View != "" {
		t.line("")
		t.line("  condition {")
		t.attributes("    ", []string{"title", quoted("tocsin"), "expression", quoted(viewCondition(g.View))})
		t.line("  }")
	}
	t.line("}")
}

func (t *terraform) silent(project string, s Silent) {
	t.line("")
	t.line("resource %s %s {", quoted("google_monitoring_alert_policy"), quoted("silent"))
	var channels []string
	for _, c := range s.Channels {
		channels = append(channels, quoted(c))
	}
	t.attributes("  ", []string{"project", quoted(project), "display_name", quoted(silentTitle), "combiner", quoted("OR"), "severity", quoted("CRITICAL"),
		"user_labels", fmt.Sprintf("{ %s = %s }", marker, quoted(marked)), "notification_channels", "[" + strings.Join(channels, ", ") + "]"})
	t.line("")
	t.line("  conditions {")
	t.line("    display_name = %s", quoted(silentTitle))
	t.line("")
	t.line("    condition_prometheus_query_language {")
	lasts := quoted(fmt.Sprintf("%ds", int(evaluated.Seconds())))
	t.attributes("      ", []string{"query", quoted(s.Query), "duration", lasts, "evaluation_interval", lasts, "disable_metric_validation", "true"})
	t.line("    }")
	t.line("  }")
	t.line("")
	t.line("  documentation {")
	t.attributes("    ", []string{"content", quoted(silentText), "mime_type", quoted("text/markdown")})
	t.line("  }")
	t.line("}")
}
