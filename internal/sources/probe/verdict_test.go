package probe

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/setting"
)

func TestAnsweredBy(t *testing.T) {
	google := http.Header{"Via": {"1.1 google"}}
	html := http.Header{"Via": {"1.1 google"}, "Content-Type": {"text/html; charset=UTF-8"}}
	plain := http.Header{"Via": {"1.1 google"}, "Content-Type": {"text/plain; charset=utf-8"}}
	classic := "\n<html><head>\n<meta http-equiv=\"content-type\" content=\"text/html;charset=utf-8\">\n<title>502 Server Error</title>\n</head>\n" +
		"<body text=#000000 bgcolor=#ffffff>\n<h1>Error: Server Error</h1>\n<h2>The server encountered a temporary error"
	tests := map[string]struct {
		status int
		header http.Header
		body   string
		want   string
	}{
		"no answer":                          {0, nil, "", ""},
		"hook":                               {405, plain, "405 Method not allowed\n", "service"},
		"hook refuses":                       {403, plain, "403 Forbidden: Missing X-Hub-Signature-256\n", "service"},
		"the service's own 500":              {500, html, "<html>oops", "service"},
		"the service's own 503":              {503, plain, "not ready\n", "service"},
		"classic balancer, no backend":       {502, html, classic, "load_balancer"},
		"classic balancer, to HEAD":          {502, google, "", "load_balancer"},
		"Google's front end":                 {502, nil, "<!DOCTYPE html>\n<html lang=en>\n  <title>Error 502 (Server Error)!!1</title>", "load_balancer"},
		"Gateway API, no backend":            {503, plain, "no healthy upstream", "load_balancer"},
		"Gateway API, connection refused":    {503, plain, "upstream connect error or disconnect/reset before headers. reset reason: connection failure", "load_balancer"},
		"Gateway API, too slow":              {504, plain, "upstream request timeout", "load_balancer"},
		"GKE's default backend":              {404, plain, "default backend - 404", "load_balancer"},
		"a proxy says so":                    {502, http.Header{"Proxy-Status": {`edge; error=destination_unavailable`}}, "", "load_balancer"},
		"AWS":                                {503, http.Header{"Server": {"awselb/2.0"}}, "", "load_balancer"},
		"nginx":                              {502, nil, "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<hr><center>nginx</center>", "load_balancer"},
		"a page of the service":              {200, html, "our status page explains: no healthy upstream", "service"},
		"a good answer that looks like one":  {200, html, "no healthy upstream", "service"},
		"HTML from somebody":                 {502, http.Header{"Content-Type": {"text/html"}}, "<p>sorry", ""},
		"an empty 503 without any sign":      {503, nil, "", ""},
		"a service that quotes the balancer": {500, plain, "error: got \"no healthy upstream\" from the ghproxy", "service"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := answeredBy(result{status: tt.status, header: tt.header, body: []byte(tt.body)}); got != tt.want {
				t.Errorf("answered by %q, want %q", got, tt.want)
			}
		})
	}
}

func TestChecks(t *testing.T) {
	tests := map[string]struct {
		change func(*Settings)
		status int
		body   string
		want   string // error; "" healthy
	}{
		"healthy":                   {func(*Settings) {}, 405, "", ""},
		"another status":            {func(*Settings) {}, 404, "", "status 404 Not Found, healthy is 200 or 405"},
		"a balancer's page":         {func(s *Settings) { s.Healthy = []int{404} }, 404, "default backend - 404", "status 404 Not Found from the load balancer itself, not from the service"},
		"a redirect is an answer":   {func(*Settings) {}, 302, "", "status 302 Found, healthy is 200 or 405"},
		"the body has it":           {func(s *Settings) { s.BodyContains = "ok" }, 200, "all ok", ""},
		"the body lacks it":         {func(s *Settings) { s.BodyContains = "ok" }, 200, "hm", `the body does not contain "ok"`},
		"it comes after 64 KiB":     {func(s *Settings) { s.BodyContains = "ok" }, 200, strings.Repeat("x", bodyBytes) + "ok", `the body does not contain "ok"`},
		"the body matches":          {func(s *Settings) { s.BodyMatches = `^v\d+$` }, 200, "v12", ""},
		"the body does not match":   {func(s *Settings) { s.BodyMatches = `^v\d+$` }, 200, "v", `the body does not match ^v\d+$`},
		"the header matches":        {func(s *Settings) { s.HeaderMatches = map[string]string{"x-version": "^2"} }, 200, "", ""},
		"the header does not match": {func(s *Settings) { s.HeaderMatches = map[string]string{"X-Version": "^3"} }, 200, "", "header X-Version does not match ^3"},
		"the header is missing":     {func(s *Settings) { s.HeaderMatches = map[string]string{"X-Other": ""} }, 200, "", "the answer has no header X-Other"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := hookSettings()
			tt.change(&s)
			src := newSource(t, s, answers(func(*http.Request) (*http.Response, error) {
				return answer(tt.status, tt.body, http.Header{"X-Version": {"1", "2.0"}, "Location": {"/"}}), nil
			}), nil)
			e, _ := one(t, src)
			payload := e["jsonPayload"].(map[string]any)
			if payload["error"] != tt.want || payload["success"] != (tt.want == "") {
				t.Errorf("success %v, error %q; want %q", payload["success"], payload["error"], tt.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	tests := map[string]struct {
		change func(*Settings)
		want   []setting.FieldError
	}{
		"good":        {func(*Settings) {}, nil},
		"in-cluster":  {func(s *Settings) { s.URL = "http://10.0.0.7:8888/hook" }, nil},
		"loopback":    {func(s *Settings) { s.URL = "http://[::1]:8888/hook" }, nil},
		"no url":      {func(s *Settings) { s.URL = "" }, []setting.FieldError{{Path: "url", Text: "no url: what is to be asked, such as https://prow.k8s.io/hook?"}}},
		"a file":      {func(s *Settings) { s.URL = "file:///etc/passwd" }, []setting.FieldError{{Path: "url", Text: `"file:///etc/passwd" is not the URL of a web server: https://host/path`}}},
		"no URL":      {func(s *Settings) { s.URL = "http://[x" }, []setting.FieldError{{Path: "url", Text: `"http://[x" is not a URL`}}},
		"a password":  {func(s *Settings) { s.URL = "https://a:b@prow.k8s.io/" }, []setting.FieldError{{Path: "url", Text: "a URL must not hold a user or a password: the URL is written into entries"}}},
		"metadata":    {func(s *Settings) { s.URL = "http://metadata.google.internal/computeMetadata/v1/" }, []setting.FieldError{{Path: "url", Text: "metadata.google.internal is not probed: link-local and metadata addresses would tell a cloud's secrets"}}},
		"same target": {func(s *Settings) { s.Control = "https://PROW.k8s.io/" }, []setting.FieldError{{Path: "control", Text: `"https://PROW.k8s.io/" is the host that is probed; name one that does not depend on it, such as https://www.gstatic.com/generate_204`}}},
		"numbers": {func(s *Settings) { s.Every, s.Timeout, s.Healthy, s.Method = 0, -1, []int{200, 42}, "PUT" }, []setting.FieldError{
			{Path: "method", Text: `"PUT" is not a method that a probe may use: GET, HEAD or POST`},
			{Path: "every", Text: "0s is too often: 1s or longer"},
			{Path: "timeout", Text: "-1ns is no time: 10s, for example"},
			{Path: "healthy.1", Text: "42 is not an HTTP status code (100 to 599)"},
		}},
		"slow": {func(s *Settings) { s.Timeout = 2 * s.Every }, []setting.FieldError{{Path: "timeout", Text: "1m0s is longer than every (30s): the next request would be late"}}},
		"checks": {func(s *Settings) {
			s.Headers = map[string]string{"X Y": "z"}
			s.UserAgent, s.BodyMatches, s.HeaderMatches, s.Method = "a\nb", "(", map[string]string{"X": "["}, "HEAD"
		}, []setting.FieldError{
			{Path: "headers.X Y", Text: "this is not an HTTP header: a name of letters, digits and -, a value of one line"},
			{Path: "user_agent", Text: `"a\nb" cannot be sent: one line of text`},
			{Path: "header_matches.X", Text: "not a regular expression (RE2): error parsing regexp: missing closing ]: `[`"},
			{Path: "body_matches", Text: "not a regular expression (RE2): error parsing regexp: missing closing ): `(`"},
			{Path: "method", Text: "the answer to HEAD has no body to check: use GET, or leave body_contains and body_matches out"},
		}},
		"ping": {func(s *Settings) { s.Method, s.FollowRedirects, s.Ping = "GET", true, &Ping{Repository: "x"} }, []setting.FieldError{
			{Path: "ping.secret_file", Text: "no file: the secret that signs the ping is read from one"},
			{Path: "ping.repository", Text: `"x" is not a repository: organization/name`},
			{Path: "method", Text: "a ping is sent by POST: leave method out"},
			{Path: "follow_redirects", Text: "GitHub follows no redirect, and a signed ping must not be sent to another host: leave it out"},
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := hookSettings()
			tt.change(&s)
			if diff := cmp.Diff(tt.want, s.Validate()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
