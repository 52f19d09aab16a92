package probe

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Who gave an answer.
const (
	byLoadBalancer = "load_balancer"
	byService      = "service"
	byUnknown      = ""
)

// balancerText are the beginnings of what load balancers answer as plain text when no backend does.
var balancerText = []string{
	"no healthy upstream", "upstream connect error or disconnect/reset before headers", "upstream request timeout", "fault filter abort",
	"default backend - 404", "response 404 (backend NotFound)",
}

// balancerPage are what load balancers' error pages hold in their first KiB.
var balancerPage = []string{
	"<h1>Error: Server Error</h1>", "(Server Error)!!1</title>", "<center>nginx", "<center>cloudflare", "No server is available to handle this request",
	"The server didn't respond in time.", "<h1>502 Bad Gateway</h1>\nThe server returned an invalid or incomplete response.",
}

// answeredBy tells a load balancer's own answer from one that it passed on. Google's balancers put `Via: 1.1 google` on every
// answer, the backends' too, so that header alone says nothing; with a gateway's status and a page of HTML, or no body, it does.
func answeredBy(r result) string {
	switch {
	case r.status == 0:
		return byUnknown
	case r.status < 400:
		return byService
	}
	head := bytes.TrimSpace(r.body[:min(len(r.body), 1024)])
	for _, text := range balancerText {
		if bytes.HasPrefix(head, []byte(text)) {
			return byLoadBalancer
		}
	}
	for _, text := range balancerPage {
		if bytes.Contains(head, []byte(text)) {
			return byLoadBalancer
		}
	}
	if r.status < 502 || r.status > 504 {
		return byService
	}
	server, via := strings.ToLower(r.header.Get("Server")), strings.ToLower(strings.Join(r.header.Values("Via"), ","))
	kind, _, _ := strings.Cut(strings.ToLower(r.header.Get("Content-Type")), ";")
	switch {
	case strings.Contains(strings.Join(r.header.Values("Proxy-Status"), ","), "error="):
		return byLoadBalancer // RFC 9209: a proxy made this answer itself
	case server == "awselb/2.0" || server == "google frontend" || server == "gfe" || server == "cloudflare":
		return byLoadBalancer
	case strings.Contains(via, "google") && (kind == "text/html" || kind == "" || len(head) == 0):
		return byLoadBalancer
	case len(head) > 0 && kind != "text/html":
		return byService
	}
	return byUnknown
}

// checks are the settings' conditions on an answer, compiled.
type checks struct {
	healthy      []int
	bodyContains string
	body         *regexp.Regexp
	headers      map[string]*regexp.Regexp
}

func newChecks(s *Settings) (checks, error) {
	c := checks{healthy: s.Healthy, bodyContains: s.BodyContains, headers: map[string]*regexp.Regexp{}}
	var err error
	if s.BodyMatches != "" {
		if c.body, err = regexp.Compile(s.BodyMatches); err != nil {
			return c, fmt.Errorf("compile body_matches: %w", err)
		}
	}
	for name, expr := range s.HeaderMatches {
		if c.headers[name], err = regexp.Compile(expr); err != nil {
			return c, fmt.Errorf("compile header_matches.%s: %w", name, err)
		}
	}
	return c, nil
}

// judge says why the answer is not that of a service that is well, and the kind of reason in one word; "" if it is.
func (c checks) judge(r result) (text, cause string) {
	if r.err != nil {
		return r.err.Error(), r.cause
	}
	status := strings.TrimSpace(fmt.Sprintf("%d %s", r.status, http.StatusText(r.status)))
	if answeredBy(r) == byLoadBalancer {
		return fmt.Sprintf("status %s from the load balancer itself, not from the service", status), "load_balancer"
	}
	if !slices.Contains(c.healthy, r.status) {
		return fmt.Sprintf("status %s, healthy is %s", status, list(c.healthy)), "status"
	}
	for _, name := range slices.Sorted(maps.Keys(c.headers)) {
		values := r.header.Values(name)
		if len(values) == 0 {
			return "the answer has no header " + name, "header"
		}
		if !slices.ContainsFunc(values, c.headers[name].MatchString) {
			return fmt.Sprintf("header %s does not match %s", name, c.headers[name]), "header"
		}
	}
	if c.bodyContains != "" && !bytes.Contains(r.body, []byte(c.bodyContains)) {
		return fmt.Sprintf("the body does not contain %q", c.bodyContains), "body"
	}
	if c.body != nil && !c.body.Match(r.body) {
		return fmt.Sprintf("the body does not match %s", c.body), "body"
	}
	return "", ""
}

// list words status codes: 200, 204 or 405.
func list(codes []int) string {
	words := make([]string, len(codes))
	for i, code := range codes {
		words[i] = fmt.Sprint(code)
	}
	if n := len(words); n > 1 {
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
	return strings.Join(words, "")
}
