package notifiers_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"tocsin/internal/fakes"
	"tocsin/notifiers"
)

// socket is a Slack that gives connections of Socket Mode, and what listens there; asked is how many were asked for.
func socket(t *testing.T, fault fakes.Fault) (fake *fakes.Slack, ear notifiers.Hearing, asked *int) {
	t.Helper()
	fake, asked = fakes.NewSlack(), new(int)
	fake.AppToken = "xapp-canary"
	fake.Before = func(method string, _ *http.Request) fakes.Fault {
		if method != "apps.connections.open" {
			return fakes.Fault{}
		}
		*asked++
		return fault
	}
	fake.Address = serve(t, fake)
	spec := &notifiers.Slack{Channel: "C0123456789", TokenFile: secretFile(t, "xoxb-canary"), APIURL: fake.Address, AppTokenFile: secretFile(t, fake.AppToken)}
	n, err := spec.New("ops")
	if err != nil {
		t.Fatal(err)
	}
	return fake, n.(notifiers.Hearing), asked
}

func deafTo(context.Context, notifiers.Heard) (string, error) { return "", nil }

// Listening ends with its connection: when there is another is for whoever listens to say, or a Slack that ends each at once is asked without a pause.
func TestListeningEndsWithItsConnection(t *testing.T) {
	fake, ear, asked := socket(t, fakes.Fault{})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	connections := 0
	err := ear.Listen(ctx, func() {
		if connections++; connections == 3 {
			stop()
		}
		for ; !fake.Linked(); <-time.After(time.Millisecond) {
		}
		fake.Unlink()
	}, deafTo)
	if err == nil || !strings.Contains(err.Error(), "receiver ops, Socket Mode: the connection ended") || connections != 1 || *asked != 1 {
		t.Errorf("%v after %d connections, of which %d were asked for; want one, and its end", err, connections, *asked)
	}
}

// How long Slack wants to be left alone is said with the error.
func TestSocketModeThatIsAskedForTooOften(t *testing.T) {
	_, ear, asked := socket(t, fakes.Fault{Status: http.StatusTooManyRequests, RetryAfter: 37})
	err := ear.Listen(t.Context(), func() { t.Error("there is a connection") }, deafTo)
	if later := (notifiers.Later{}); !errors.As(err, &later) || later.After != 37*time.Second || *asked != 1 {
		t.Errorf("%#v after %d requests, want one that says to come again after 37s", err, *asked)
	}
}
