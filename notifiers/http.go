package notifiers

import (
	"bytes"
	"context"
	"encoding/json"
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

// posting is one request that tells something.
type posting struct {
	// to names the provider and the receiver, for errors.
	to      string
	method  string
	address setting.Secret
	header  http.Header
	// body is written as JSON.
	body any
	// sent are the secrets that the request holds beside its address: they are taken out of what is said of the answer.
	sent []setting.Secret
}

// post makes a request and sorts its answer: 429, and 503 where it says for how long, are Later, any other refusal (4xx) is Permanent,
// all else an error after which it may or may not have arrived.
func post(ctx context.Context, client *http.Client, now time.Time, p posting) ([]byte, error) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(p.body); err != nil {
		return nil, fmt.Errorf("write message to %s: %w", p.to, err)
	}
	header := p.header.Clone()
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	header.Set("User-Agent", "tocsin")
	resp, answer, err := exchange(ctx, client, p.method, p.address.Reveal(), header, &body)
	if err != nil {
		return nil, fmt.Errorf("send to %s: %w", p.to, err)
	}
	secrets := append([]setting.Secret{p.address}, p.sent...)
	switch code := resp.StatusCode; {
	case code/100 == 2:
		return answer, nil
	case code == http.StatusTooManyRequests:
		return nil, Later{fmt.Errorf("send to %s: it is asked too often", p.to), retryAfter(resp.Header, now, 30*time.Second)}
	case code == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != "":
		return nil, Later{fmt.Errorf("send to %s: it asks to wait: %s", p.to, excerpt(answer, secrets...)), retryAfter(resp.Header, now, 30*time.Second)}
	case code/100 == 4 && code != http.StatusRequestTimeout:
		return nil, Permanent{refusedWith{code, fmt.Errorf("send to %s: it refuses with %d: %s", p.to, code, excerpt(answer, secrets...))}}
	default:
		return nil, fmt.Errorf("send to %s: it answers %d: %s", p.to, code, excerpt(answer, secrets...))
	}
}

// refusedWith is a refusal with its status.
type refusedWith struct {
	status int
	error
}

// checkAddress says what is wrong with an address that is given as url, or in the file url_file.
func checkAddress(address, file string) []setting.FieldError {
	switch {
	case address == "" && file == "":
		return []setting.FieldError{{Path: "url", Text: "is missing: write where to post to, or name a file that holds it as url_file"}}
	case address != "" && file != "":
		return []setting.FieldError{{Path: "url_file", Text: "stands beside url: write one of the two"}}
	case address != "":
		if text := checkURL(address); text != "" {
			return []setting.FieldError{{Path: "url", Text: text}}
		}
	}
	return nil
}

// checkAddressFile says what is wrong with an address that is a secret, and so only ever stands in a file.
func checkAddressFile(file, what string) []setting.FieldError {
	switch {
	case file == "":
		return []setting.FieldError{{Path: "url_file", Text: "is missing: write the path of the file that holds " + what}}
	case strings.HasPrefix(file, "http://") || strings.HasPrefix(file, "https://"):
		return []setting.FieldError{{Path: "url_file", Text: "holds the address itself, which is a secret: write it into a file and name the file here"}}
	}
	return nil
}

// addressOf is where a receiver posts to: what its settings say, or what the file holds at this moment.
func addressOf(receiver, address, file string) (setting.Secret, error) {
	if file == "" {
		return setting.Secret(address), nil
	}
	secret, err := setting.ReadSecret(file)
	if err != nil {
		return "", fmt.Errorf("open url_file of receiver %s: %w", receiver, err)
	}
	if text := checkURL(secret.Reveal()); text != "" {
		return "", Permanent{fmt.Errorf("open url_file of receiver %s: it holds no absolute http or https URL", receiver)}
	}
	return secret, nil
}

// authorized adds the token that a file holds to a header, as "Authorization: Bearer", if there is a file.
func authorized(receiver, file string, header http.Header) (setting.Secret, error) {
	if file == "" {
		return "", nil
	}
	token, err := setting.ReadSecret(file)
	if err != nil {
		return "", fmt.Errorf("open token of receiver %s: %w", receiver, err)
	}
	header.Set("Authorization", "Bearer "+token.Reveal())
	return token, nil
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

// checkURL says what is wrong with a setting that is an absolute http or https URL; "" if nothing is.
func checkURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "is no URL: write one such as https://host/path"
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "":
		return fmt.Sprintf("%q is no absolute URL: write one that begins with https://", words.Clean(u.Redacted(), 200))
	case u.User != nil:
		return "holds a user or a password: secrets belong in a file"
	}
	return ""
}
