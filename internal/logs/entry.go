// Package logs holds the nouns of what is observed: an Entry, the Batch it comes in, the Cursor it is resumed at, and its
// Severity; and the forms that entries come in. Everything tocsin watches (a log, a Kubernetes event, a load balancer's
// request, a probe's result) is an Entry in the shape of Cloud Logging's LogEntry.
package logs

import "time"

// Entry is one LogEntry. Its identity is (project, logName, timestamp, insertId); without an insertId it is the place that
// it was read from.
type Entry struct {
	// Raw is the entry as it came, without the newline behind it.
	Raw []byte
	// Root is the decoded LogEntry: an object with the REST API's camelCase names. For a plain JSON log line the line itself
	// is under jsonPayload, for plain text under textPayload.
	Root Value
	// Timestamp is when it happened; zero if the entry does not say.
	Timestamp time.Time
	// ReceiveTimestamp is when Cloud Logging had it; zero if the entry does not say.
	ReceiveTimestamp time.Time
	// Clock is the source's clock at this entry: the running maximum of ReceiveTimestamp, else Timestamp, else that of the
	// entry before it.
	Clock time.Time
	// Source, File and Offset say where it was read.
	Source string
	File   string
	Offset int64
	// Broken says that the line was not what its form promises (cut JSON, invalid UTF-8) and is kept as text.
	Broken bool
}

// Time is when the entry happened: its timestamp, or, if it has none, its source's clock.
func (e *Entry) Time() time.Time {
	if e.Timestamp.IsZero() {
		return e.Clock
	}
	return e.Timestamp
}

// LogName is the entry's logName, or "".
func (e *Entry) LogName() string { return e.Root.Get("logName").Text() }

// Project is the project that the entry is of: resource.labels.project_id, else the one in logName, else "".
func (e *Entry) Project() string {
	if p := e.Root.Get("resource").Get("labels").Get("project_id").Text(); p != "" {
		return p
	}
	return projectOf(e.LogName())
}

// projectOf takes "p" out of "projects/p/logs/x".
func projectOf(logName string) string {
	const prefix = "projects/"
	if len(logName) <= len(prefix) || logName[:len(prefix)] != prefix {
		return ""
	}
	rest := logName[len(prefix):]
	for i := range len(rest) {
		if rest[i] == '/' {
			return rest[:i]
		}
	}
	return rest
}

// Message is the one line that a person would want to see of the entry: jsonPayload as JSON, textPayload as it is, else
// what the request was, else the entry as JSON. It is not bounded and not escaped: that belongs to where it goes.
func (e *Entry) Message() string {
	if t := e.Root.Get("textPayload"); t.Kind == String {
		return t.Str
	}
	if r := e.Root.Get("httpRequest"); r.Kind == Object {
		text := r.Get("requestMethod").Text() + " " + r.Get("requestUrl").Text() + " " + r.Get("status").Text()
		if why := e.Root.Get("jsonPayload").Get("statusDetails").Text(); why != "" {
			text += " " + why
		}
		if why := e.Root.Get("jsonPayload").Get("error").Text(); why != "" {
			text += " " + why
		}
		return text
	}
	for _, name := range []string{"jsonPayload", "protoPayload"} {
		p := e.Root.Get(name)
		if p.Kind != Object {
			continue
		}
		if p.Get("kind").Text() == "Event" && p.Get("message").Kind == String {
			return p.Get("reason").Text() + " " + p.Get("involvedObject").Get("name").Text() + ": " + p.Get("message").Text()
		}
		return string(p.AppendJSON(nil))
	}
	if len(e.Raw) > 0 && e.Raw[0] != '{' { // wire bytes
		return string(e.Root.AppendJSON(nil))
	}
	return string(e.Raw)
}
