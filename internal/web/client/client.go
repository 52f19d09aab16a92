// Package client is the other end of internal/web: it speaks the JSON API of a tocsin that is serving, and holds the types
// that go over that wire. Commands use it; it knows nothing of how the service works.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tocsin/internal/incident"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 32 << 20

// Client asks one tocsin. It is safe for concurrent use.
type Client struct {
	base  *url.URL
	http  *http.Client
	token string
}

// Error is an answer that says no. Code is one of NotFound, Conflict, Invalid, Internal, Unauthenticated, Forbidden; the text is a sentence.
type Error struct {
	code, text string
}

// Error is the sentence.
func (e *Error) Error() string { return e.text }

// Code is the error's code.
func (e *Error) Code() string { return e.code }

// New makes a client for the tocsin at baseURL, such as http://127.0.0.1:8440. It does not connect yet. A URL that cannot be
// one gives an error that carries Invalid.
func New(baseURL string) (*Client, error) {
	u, err := url.Parse(baseURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, &Error{Invalid, fmt.Sprintf("%q is not the address of a tocsin: write it like http://127.0.0.1:8440", baseURL)}
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return &Client{base: u, http: &http.Client{
		Timeout: 30 * time.Second,
		// The API never redirects: whatever does is not tocsin, and must not be told who acknowledges what.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// WithToken makes the client show a token with each request.
func (c *Client) WithToken(token string) *Client {
	with := *c
	with.token = token
	return &with
}

// Audit gives the newest lines of the audit trail, or those before one; 0 is the newest.
func (c *Client) Audit(ctx context.Context, before int64) (Trail, error) {
	query := url.Values{}
	if before > 0 {
		query.Set("before", strconv.FormatInt(before, 10))
	}
	var t Trail
	err := c.call(ctx, http.MethodGet, []string{"audit"}, query, nil, &t)
	return t, err
}

// VerifyAudit looks through the whole audit trail; head, if given, is one that was told before.
func (c *Client) VerifyAudit(ctx context.Context, head string) (Verdict, error) {
	query := url.Values{}
	if head != "" {
		query.Set("head", head)
	}
	var v Verdict
	err := c.call(ctx, http.MethodGet, []string{"audit", "verify"}, query, nil, &v)
	return v, err
}

// mostAtOnce is how many incidents the service gives at once.
const mostAtOnce = 200

// Filter chooses incidents.
type Filter struct {
	// States are the wanted ones; none means all.
	States []incident.State
	// Limit is how many at most; 0 leaves it to the service (50). It gives no more than 200 at once.
	Limit int
	// Before is the id after which to go on: IncidentList.Next of the page before.
	Before string
}

// Incidents lists incidents with their alerts, newest first.
func (c *Client) Incidents(ctx context.Context, f Filter) (IncidentList, error) {
	query := url.Values{}
	for _, s := range f.States {
		query.Add("state", string(s))
	}
	if f.Limit != 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	if f.Before != "" {
		query.Set("before", f.Before)
	}
	var list IncidentList
	err := c.call(ctx, http.MethodGet, []string{"incidents"}, query, nil, &list)
	return list, err
}

// Newest lists as many incidents as the filter's Limit says, however many that is: it asks page by page.
func (c *Client) Newest(ctx context.Context, f Filter) (IncidentList, error) {
	all := IncidentList{Incidents: []incident.Incident{}}
	for want := f.Limit; len(all.Incidents) < want; {
		f.Limit, f.Before = min(want-len(all.Incidents), mostAtOnce), all.Next
		list, err := c.Incidents(ctx, f)
		if err != nil {
			return all, err
		}
		all.Incidents, all.Total, all.Next = append(all.Incidents, list.Incidents...), list.Total, list.Next
		if list.Next == "" {
			break
		}
	}
	return all, nil
}

// Incident is one incident with its timeline and notifications. Its id may be cut to six characters or more if they still
// name it alone.
func (c *Client) Incident(ctx context.Context, id string) (Detail, error) {
	var d Detail
	err := c.call(ctx, http.MethodGet, []string{"incidents", id}, nil, nil, &d)
	return d, err
}

// Acknowledge says that by has the incident, and returns it as it is then.
func (c *Client) Acknowledge(ctx context.Context, id, by string) (Detail, error) {
	return c.deed(ctx, id, "acknowledge", by)
}

// Resolve says that by declares the incident over, and returns it as it is then.
func (c *Client) Resolve(ctx context.Context, id, by string) (Detail, error) {
	return c.deed(ctx, id, "resolve", by)
}

// Declare makes an incident of what a person has found, and returns it.
func (c *Client) Declare(ctx context.Context, wish Declaration) (Detail, error) {
	var d Detail
	body, err := json.Marshal(wish)
	if err != nil {
		return d, fmt.Errorf("encode request: %w", err)
	}
	err = c.call(ctx, http.MethodPost, []string{"incidents"}, nil, body, &d)
	return d, err
}

// Merge lets an incident be taken in by another, which it returns as it is then.
func (c *Client) Merge(ctx context.Context, id string, wish Merge) (Detail, error) {
	return c.wish(ctx, id, "merge", wish)
}

// Split makes an incident of its own of an alert, and returns it.
func (c *Client) Split(ctx context.Context, id string, wish Split) (Detail, error) {
	return c.wish(ctx, id, "split", wish)
}

// Ask asks somebody to take an incident, and returns it as it is then.
func (c *Client) Ask(ctx context.Context, id string, wish Ask) (Detail, error) {
	return c.wish(ctx, id, "ask", wish)
}

// Note writes down in an incident's timeline what somebody has found, and returns it as it is then.
func (c *Client) Note(ctx context.Context, id string, wish Note) (Detail, error) {
	return c.wish(ctx, id, "notes", wish)
}

func (c *Client) deed(ctx context.Context, id, deed, by string) (Detail, error) {
	return c.wish(ctx, id, deed, Deed{By: by})
}

// wish posts what somebody wants done to an incident.
func (c *Client) wish(ctx context.Context, id, deed string, wish any) (Detail, error) {
	body, err := json.Marshal(wish)
	if err != nil {
		return Detail{}, fmt.Errorf("encode request: %w", err)
	}
	var d Detail
	err = c.call(ctx, http.MethodPost, []string{"incidents", id, deed}, nil, body, &d)
	return d, err
}

// Silence makes a silence, or says what it would hide.
func (c *Client) Silence(ctx context.Context, wish SilenceWish) (SilenceMade, error) {
	var made SilenceMade
	body, err := json.Marshal(wish)
	if err != nil {
		return made, fmt.Errorf("encode request: %w", err)
	}
	err = c.call(ctx, http.MethodPost, []string{"silences"}, nil, body, &made)
	return made, err
}

// Silences lists the silences; with all those of the last 30 days that have ended, too.
func (c *Client) Silences(ctx context.Context, all bool) (SilenceList, error) {
	query := url.Values{}
	if all {
		query.Set("all", "true")
	}
	var list SilenceList
	err := c.call(ctx, http.MethodGet, []string{"silences"}, query, nil, &list)
	return list, err
}

// ExpireSilence ends a silence now, and returns it as it is then.
func (c *Client) ExpireSilence(ctx context.Context, id int64, by string) (incident.Silence, error) {
	var s incident.Silence
	body, err := json.Marshal(Deed{By: by})
	if err != nil {
		return s, fmt.Errorf("encode request: %w", err)
	}
	err = c.call(ctx, http.MethodPost, []string{"silences", strconv.FormatInt(id, 10), "expire"}, nil, body, &s)
	return s, err
}

// RuleRecord is what a rule did since a time.
func (c *Client) RuleRecord(ctx context.Context, rule string, since time.Time) (RuleRecord, error) {
	var r RuleRecord
	err := c.call(ctx, http.MethodGet, []string{"rules", rule, "record"}, url.Values{"since": {since.UTC().Format(time.RFC3339)}}, nil, &r)
	return r, err
}

// Status is how the service itself is.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var s Status
	err := c.call(ctx, http.MethodGet, []string{"status"}, nil, nil, &s)
	return s, err
}

// call makes one request and decodes its answer into answer. It tries once: the caller decides whether again.
func (c *Client) call(ctx context.Context, method string, path []string, query url.Values, body []byte, answer any) error {
	for i, p := range path {
		if p == "" {
			return &Error{Invalid, "an incident's id is missing"}
		}
		path[i] = url.PathEscape(p) // a dot segment would be cleaned away
		if p == "." || p == ".." {
			return &Error{NotFound, fmt.Sprintf("there is no incident %q", p)}
		}
	}
	u := c.base.JoinPath(append([]string{"api", "v1"}, path...)...)
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Accept", "application/json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing answers: is tocsin serving at %s? (%w)", c.base, syscall.ECONNREFUSED)
	}
	if err != nil {
		return fmt.Errorf("ask tocsin: %w", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("read tocsin's answer: %w", err)
	}
	if len(data) > maxAnswer {
		return fmt.Errorf("read tocsin's answer: it is longer than %d MiB; ask for fewer incidents", maxAnswer>>20)
	}
	return c.decode(resp, data, answer)
}

// decode takes an answer apart: a success into answer, a refusal into an Error, and anything else is not tocsin's.
func (c *Client) decode(resp *http.Response, data []byte, answer any) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if kind != "application/json" {
		return fmt.Errorf("%s answered %s with %q, not with JSON: is it tocsin that serves there?", c.base, resp.Status, kind)
	}
	if resp.StatusCode == http.StatusOK {
		if err := json.Unmarshal(data, answer); err != nil {
			return fmt.Errorf("decode tocsin's answer: %w", err)
		}
		return nil
	}
	var f Failure
	if err := json.Unmarshal(data, &f); err != nil || f.Error.Code == "" {
		return fmt.Errorf("%s answered %s without saying why: is it tocsin that serves there?", c.base, resp.Status)
	}
	return &Error{f.Error.Code, f.Error.Text}
}

// Unfinished are the states of incidents that are not over.
var Unfinished = []incident.State{incident.Open, incident.Acknowledged}
