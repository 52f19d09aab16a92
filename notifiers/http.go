package notifiers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/setting"
	"tocsin/internal/words"
)

// maxAnswer bounds the body of a provider's answer, after decompression.
const maxAnswer = 1 << 20

// boundedClient is an HTTP client whose answers are bounded and that follows no redirect: a redirect would carry a token to
// wherever it points. The time limit is the context's.
func boundedClient() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = 64 << 10
	return &http.Client{
		Transport:     boundedTransport{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type boundedTransport struct{ next http.RoundTripper }

// RoundTrip cuts the body off: what reads it finds an unexpected end, which is no clear answer.
func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// exchange makes one request and reads the whole answer. Its error tells neither the address, which may be a secret, nor
// anything else that was sent.
func exchange(ctx context.Context, client *http.Client, method, address string, header http.Header, body io.Reader) (*http.Response, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, nil, errors.New("make request: the address is no URL")
	}
	r.Header = header
	resp, err := client.Do(r)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err
		}
		return nil, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("read answer: %w", err)
	}
	return resp, answer, nil
}

// retryAfter is how long an answer asks to wait: its Retry-After in seconds or as a date, within a second and an hour; else
// what is given.
func retryAfter(header http.Header, now time.Time, otherwise time.Duration) time.Duration {
	text := strings.TrimSpace(header.Get("Retry-After"))
	wait := otherwise
	if seconds, err := strconv.Atoi(text); err == nil && seconds >= 0 {
		wait = time.Duration(min(seconds, 3600)) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, time.Second), time.Hour)
}

// excerpt is the beginning of a provider's answer, fit for an error's text and without the secrets that were sent.
func excerpt(body []byte, sent ...setting.Secret) string {
	text := string(body[:min(len(body), 4096)])
	for _, secret := range sent {
		if secret != "" {
			text = strings.ReplaceAll(text, secret.Reveal(), secret.String())
		}
	}
	return words.Clean(text, 300)
}
