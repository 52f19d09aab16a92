// Package probe asks a web endpoint now and then whether it is well, and writes what it observed as an entry. It is the machine
// of the source kind http_probe. It tells a load balancer's own answer from the service's, and its own blindness from the
// service's failure.
package probe

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"tocsin/internal/setting"
)

// Settings are those of kind http_probe: one request now and then, whose outcome is an entry of logName
// projects/PROJECT/logs/tocsin%2Fprobe with resource.type uptime_url and the source's name in labels.probe.
type Settings struct {
	// URL is what to ask, http or https. Link-local addresses, where clouds serve their metadata, are never asked.
	URL string `yaml:"url"`
	// Method is GET, HEAD or POST; GET if left out, POST with a ping.
	Method string `yaml:"method"`
	// Every is the time from one request to the next, 30s if left out; the first is made at once.
	Every setting.Duration `yaml:"every"`
	// Timeout is how long the whole request may take, 10s if left out.
	Timeout setting.Duration `yaml:"timeout"`
	// Healthy are the status codes of a service that is well, [200] if left out. Prow's hook answers GET with 405 when it is
	// well. A load balancer's own error page is never healthy.
	Healthy []int `yaml:"healthy"`
	// Control is a URL, far from the service, that is asked when the probe fails. When it gives no answer either, or a 5xx, it
	// is the probe that is cut off: it is reported as blind, not the service as down.
	Control string `yaml:"control"`
	// Headers are sent along. They are not sent on to another host by a redirect.
	Headers map[string]string `yaml:"headers"`
	// UserAgent is sent, tocsin-probe/1 if left out.
	UserAgent string `yaml:"user_agent"`
	// BodyContains must occur in the first 64 KiB of the body.
	BodyContains string `yaml:"body_contains"`
	// BodyMatches is a regular expression (RE2) that must match in the first 64 KiB of the body.
	BodyMatches string `yaml:"body_matches"`
	// HeaderMatches are response headers and the regular expression (RE2) that one of each header's values must match.
	HeaderMatches map[string]string `yaml:"header_matches"`
	// FollowRedirects follows up to 5 redirects; left out, a redirect is an answer like any other.
	FollowRedirects bool `yaml:"follow_redirects"`
	// Ping sends what GitHub sends to try a webhook: a signed ping.
	Ping *Ping `yaml:"ping"`
}

// Ping is a webhook's ping as GitHub sends it, signed in both ways (X-Hub-Signature with SHA-1, X-Hub-Signature-256). It
// proves that the receiver has its secret. To Prow it counts as a webhook received, so it silences an alert on none coming:
// give the probe an organization and a secret of its own.
type Ping struct {
	// SecretFile holds the webhook's secret. It is read at each request.
	SecretFile string `yaml:"secret_file"`
	// Organization is the organization that the ping names, such as probe-org.
	Organization string `yaml:"organization"`
	// Repository is the repository that the ping names, as organization/name.
	Repository string `yaml:"repository"`
}

// Defaults are the settings before any is read.
func Defaults() Settings {
	return Settings{Every: setting.Duration(30 * time.Second), Timeout: setting.Duration(10 * time.Second), Healthy: []int{200}, UserAgent: "tocsin-probe/1"}
}

// method is the request's method.
func (s *Settings) method() string {
	switch {
	case s.Method != "":
		return s.Method
	case s.Ping != nil:
		return http.MethodPost
	default:
		return http.MethodGet
	}
}

// Validate says everything that is wrong with the settings.
func (s *Settings) Validate() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	if s.URL == "" {
		wrong("url", "no url: what is to be asked, such as https://prow.k8s.io/hook?")
	} else if text := badURL(s.URL); text != "" {
		wrong("url", "%s", text)
	}
	if s.Control != "" {
		if text := badURL(s.Control); text != "" {
			wrong("control", "%s", text)
		} else if hostOf(s.Control) == hostOf(s.URL) {
			wrong("control", "%q is the host that is probed; name one that does not depend on it, such as https://www.gstatic.com/generate_204", s.Control)
		}
	}
	if m := s.Method; !slices.Contains([]string{"", "GET", "HEAD", "POST"}, m) {
		wrong("method", "%q is not a method that a probe may use: GET, HEAD or POST", m)
	}
	if s.Every.Std() < time.Second {
		wrong("every", "%s is too often: 1s or longer", s.Every)
	}
	if d := s.Timeout.Std(); d <= 0 {
		wrong("timeout", "%s is no time: 10s, for example", s.Timeout)
	} else if d > s.Every.Std() {
		wrong("timeout", "%s is longer than every (%s): the next request would be late", s.Timeout, s.Every)
	}
	if len(s.Healthy) == 0 {
		wrong("healthy", "no status code: name those of a service that is well, such as [200]")
	}
	for i, code := range s.Healthy {
		if code < 100 || code > 599 {
			wrong(fmt.Sprintf("healthy.%d", i), "%d is not an HTTP status code (100 to 599)", code)
		}
	}
	return append(errs, s.validateChecks()...)
}

// validateChecks looks at headers, checks and ping.
func (s *Settings) validateChecks() []setting.FieldError {
	var errs []setting.FieldError
	wrong := func(path, format string, args ...any) {
		errs = append(errs, setting.FieldError{Path: path, Text: fmt.Sprintf(format, args...)})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(s.Headers[name]) {
			wrong("headers."+name, "this is not an HTTP header: a name of letters, digits and -, a value of one line")
		}
	}
	if !httpguts.ValidHeaderFieldValue(s.UserAgent) {
		wrong("user_agent", "%q cannot be sent: one line of text", s.UserAgent)
	}
	for _, name := range slices.Sorted(maps.Keys(s.HeaderMatches)) {
		if _, err := regexp.Compile(s.HeaderMatches[name]); err != nil {
			wrong("header_matches."+name, "not a regular expression (RE2): %v", err)
		}
	}
	if _, err := regexp.Compile(s.BodyMatches); err != nil {
		wrong("body_matches", "not a regular expression (RE2): %v", err)
	}
	if s.method() == http.MethodHead && (s.BodyContains != "" || s.BodyMatches != "") {
		wrong("method", "the answer to HEAD has no body to check: use GET, or leave body_contains and body_matches out")
	}
	p := s.Ping
	if p == nil {
		return errs
	}
	if p.SecretFile == "" {
		wrong("ping.secret_file", "no file: the secret that signs the ping is read from one")
	}
	if owner, name, ok := strings.Cut(p.Repository, "/"); p.Repository != "" && (!ok || owner == "" || name == "" || strings.Contains(name, "/")) {
		wrong("ping.repository", "%q is not a repository: organization/name", p.Repository)
	}
	if s.method() != http.MethodPost {
		wrong("method", "a ping is sent by POST: leave method out")
	}
	if s.FollowRedirects {
		wrong("follow_redirects", "GitHub follows no redirect, and a signed ping must not be sent to another host: leave it out")
	}
	return errs
}

// badURL says what is wrong with a URL; "" if nothing is.
func badURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Sprintf("%q is not a URL", text)
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return fmt.Sprintf("%q is not the URL of a web server: https://host/path", text)
	case u.User != nil:
		return "a URL must not hold a user or a password: the URL is written into entries"
	}
	if err := Denied(u.Hostname()); err != nil {
		return err.Error()
	}
	return ""
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}
