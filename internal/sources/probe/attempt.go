package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"
)

const (
	bodyBytes    = 64 << 10
	maxRedirects = 5
)

// result is what one request brought.
type result struct {
	start   time.Time
	latency time.Duration
	status  int // 0 when no answer came
	header  http.Header
	body    []byte // its first bodyBytes
	phases  []phase
	// tlsDaysLeft is how many whole days the served certificates are valid yet, negative when one has run out; nil without TLS.
	tlsDaysLeft *int
	// err is why there is no whole answer, cause its kind in one word.
	err   error
	cause string
}

// phase is one part of a request and how long it took.
type phase struct {
	name string
	took time.Duration
}

// Guarded is a transport that connects to no link-local or metadata address, whatever name leads there. Every request makes its own
// connection: the way to the service is what is probed. No proxy, for the same reason.
func Guarded() *http.Transport {
	dialer := &net.Dialer{Control: control}
	return &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true,
		ForceAttemptHTTP2: true, MaxResponseHeaderBytes: bodyBytes}
}

// newClient makes the client of a probe. transport nil means the network.
func newClient(transport http.RoundTripper, follow bool) *http.Client {
	if transport == nil {
		transport = Guarded()
	}
	return &http.Client{Transport: transport, CheckRedirect: func(req *http.Request, via []*http.Request) error {
		if !follow {
			return http.ErrUseLastResponse
		}
		if len(via) > maxRedirects {
			return redirectError(fmt.Sprintf("more than %d redirects", maxRedirects))
		}
		if text := badURL(req.URL.String()); text != "" {
			return redirectError("redirected: " + text)
		}
		if req.URL.Host != via[0].URL.Host {
			req.Header = http.Header{ //nolint:gosec // only what names the probe goes to another host
				"User-Agent": via[0].Header["User-Agent"]}
		}
		return nil
	}}
}

type redirectError string

func (e redirectError) Error() string { return string(e) }

// attempt makes one request within ctx.
func attempt(ctx context.Context, client *http.Client, req *http.Request, timeout time.Duration) result {
	r := result{start: time.Now()}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	t := &tracer{}
	resp, err := client.Do(req.WithContext(httptrace.WithClientTrace(ctx, t.trace())))
	if err == nil {
		r.status, r.header = resp.StatusCode, resp.Header
		t.enter("transfer")
		r.body, err = io.ReadAll(io.LimitReader(resp.Body, bodyBytes))
		err = errors.Join(err, resp.Body.Close())
		if resp.TLS != nil {
			r.tlsDaysLeft = daysLeft(expiry(resp.TLS), r.start)
		}
	}
	during := t.finish()
	r.latency = time.Since(r.start)
	r.phases = t.phases
	if err != nil {
		r.fail(err, during, timeout)
	}
	return r
}

// fail words why the request got no whole answer.
func (r *result) fail(err error, during string, timeout time.Duration) {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // the URL is in the entry already
	}
	var bad *tls.CertificateVerificationError
	if errors.As(err, &bad) && len(bad.UnverifiedCertificates) > 0 {
		r.tlsDaysLeft = daysLeft(bad.UnverifiedCertificates[0].NotAfter, r.start)
	}
	_, isDenied := errors.AsType[denied](err)
	_, isRedirect := errors.AsType[redirectError](err)
	_, isDNS := errors.AsType[*net.DNSError](err)
	timedOut, ok := errors.AsType[net.Error](err)
	switch {
	case isDenied:
		r.cause = "denied"
	case isRedirect:
		r.cause = "redirect"
	case errors.Is(err, context.DeadlineExceeded) || ok && timedOut.Timeout():
		r.cause, err = "timeout", fmt.Errorf("timeout: no whole answer within %s, it was still %s", timeout, doing[during])
	case isDNS:
		r.cause = "dns"
	case during == "":
		r.cause = "connect"
	default:
		r.cause = during
	}
	r.err = err
}

// doing words a phase.
var doing = map[string]string{"": "starting", "dns": "resolving the name", "connect": "connecting", "tls": "in the TLS handshake",
	"firstByte": "waiting for the first byte", "transfer": "reading the body"}

// expiry is when the first of the certificates that are needed runs out: the earliest of a chain, and of several chains the one
// that lasts longest. The root is the client's own and does not count.
func expiry(state *tls.ConnectionState) time.Time {
	var best time.Time
	for _, chain := range state.VerifiedChains {
		if end := earliest(chain[:max(1, len(chain)-1)]); end.After(best) {
			best = end
		}
	}
	if best.IsZero() && len(state.PeerCertificates) > 0 {
		return state.PeerCertificates[0].NotAfter
	}
	return best
}

func earliest(chain []*x509.Certificate) time.Time {
	end := chain[0].NotAfter
	for _, c := range chain {
		if c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}

func daysLeft(end, now time.Time) *int {
	days := int(math.Floor(end.Sub(now).Hours() / 24))
	return &days
}

// tracer cuts a request into its phases. With redirects a phase is the sum over the hops.
type tracer struct {
	mu     sync.Mutex
	phases []phase
	now    string // the phase it is in; "" between two
	at     time.Time
}

// enter ends the phase that runs and begins the named one.
func (t *tracer) enter(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.now != "" {
		t.add(t.now, now.Sub(t.at))
	}
	t.now, t.at = name, now
}

func (t *tracer) add(name string, took time.Duration) {
	for i := range t.phases {
		if t.phases[i].name == name {
			t.phases[i].took += took
			return
		}
	}
	t.phases = append(t.phases, phase{name, took})
}

// finish ends the tracing and says which phase it was in.
func (t *tracer) finish() string {
	t.mu.Lock()
	during := t.now
	t.mu.Unlock()
	t.enter("")
	return during
}

func (t *tracer) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:              func(string) { t.enter("connect") },
		DNSStart:             func(httptrace.DNSStartInfo) { t.enter("dns") },
		DNSDone:              func(httptrace.DNSDoneInfo) { t.enter("connect") },
		TLSHandshakeStart:    func() { t.enter("tls") },
		GotConn:              func(httptrace.GotConnInfo) { t.enter("firstByte") },
		GotFirstResponseByte: func() { t.enter("transfer") },
	}
}

// newRequest makes the request; it reads the secret of a ping.
func (s *Settings) newRequest(ctx context.Context) (*http.Request, error) {
	var body []byte
	if s.Ping != nil {
		var err error
		if body, err = s.Ping.body(s.URL); err != nil {
			return nil, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, s.method(), s.URL, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	for name, value := range s.Headers {
		req.Header.Set(name, value)
		if http.CanonicalHeaderKey(name) == "Host" {
			req.Host = value
		}
	}
	req.Header.Set("User-Agent", s.UserAgent)
	if s.Ping != nil {
		return req, s.Ping.sign(req.Header, body)
	}
	return req, nil
}
