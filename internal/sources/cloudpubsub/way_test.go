package cloudpubsub

import (
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"tocsin/internal/logs"
)

// refusing is a Pub/Sub that gives no messages, and fails as it is told.
type refusing struct {
	pubsubpb.UnimplementedSubscriberServer
	mu  sync.Mutex
	err error
}

func (s *refusing) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *refusing) StreamingPull(stream pubsubpb.Subscriber_StreamingPullServer) error {
	go func() { // each word of the client is answered
		for {
			if _, err := stream.Recv(); err != nil || stream.Send(&pubsubpb.StreamingPullResponse{}) != nil {
				return
			}
		}
	}()
	for stream.Context().Err() == nil {
		s.mu.Lock()
		err := s.err
		s.mu.Unlock()
		if err != nil {
			return err
		}
		select {
		case <-stream.Context().Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// away begins to read from a service that refuses as it is told.
func away(t *testing.T) (*reader, *refusing) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, service := grpc.NewServer(), &refusing{}
	pubsubpb.RegisterSubscriberServer(server, service)
	go server.Serve(l) // it ends with the listener
	t.Cleanup(server.Stop)
	s := Defaults()
	s.Subscription, s.Endpoint = subscription, l.Addr().String()
	r := &reader{t: t}
	r.src = New("logs", s, Options{Tell: r.hear})
	r.src.times = times{settle: time.Second, silent: 100 * time.Millisecond, blind: 400 * time.Millisecond, fresh: time.Minute, quiet: 200 * time.Millisecond,
		look: 20 * time.Millisecond, speak: time.Minute}
	return r, service
}

// said are what was told, and the batches' words in short, in seconds since the beginning.
func (r *reader) said() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, b := range r.sent {
		word := "behind"
		if b.CaughtUp {
			word = "caught up"
		}
		if b.Blind {
			word = "blind"
		}
		if len(out) == 0 || out[len(out)-1] != word {
			out = append(out, word)
		}
	}
	return out
}

// A subscription without messages is caught up with a little after the stream was opened. That there has been no way to it for longer is
// told, once, and the source is blind; then it is well again.
func TestNoWay(t *testing.T) {
	r, server := away(t)
	r.begin()
	want := []string{"behind", "caught up"}
	says := func() bool { return cmp.Equal(want, r.said()) }
	eventually(t, "it has caught up", says)
	server.fail(status.Error(codes.Unavailable, "the service is away"))
	want = append(want, "blind")
	eventually(t, "it is blind", says)
	if told := r.told(); len(told) != 1 || !strings.Contains(told[0], "source logs: read "+subscription+": no answer, look at the way out") || !strings.Contains(told[0], "the service is away") {
		t.Errorf("told %q", told)
	}
	server.fail(nil)
	want = append(want, "behind", "caught up")
	eventually(t, "it has caught up again", says)
	r.stop()
	if told := r.told(); len(told) != 2 || told[1] != "<nil>" {
		t.Errorf("told %q in the end", told)
	}
}

// What is refused for good ends the reading, with what is to be done.
func TestRefused(t *testing.T) {
	tests := map[codes.Code]string{
		codes.PermissionDenied: "access denied, grant roles/pubsub.subscriber on it to the account that tocsin runs as: gcloud pubsub subscriptions add-iam-policy-binding tocsin --project=p " +
			"--role=roles/pubsub.subscriber --member=serviceAccount:ACCOUNT",
		codes.NotFound:           "it does not exist, make it by tocsin provision or by gcloud pubsub subscriptions create tocsin --project=p --topic=TOPIC",
		codes.FailedPrecondition: "it cannot be pulled from",
		codes.ResourceExhausted:  "the project's quota is used up",
	}
	for code, want := range tests {
		t.Run(code.String(), func(t *testing.T) {
			r, server := away(t)
			server.fail(status.Error(code, "no"))
			err := r.src.Read(t.Context(), "", make(chan logs.Batch, 10))
			if err == nil || !strings.Contains(err.Error(), "source logs: read "+subscription+": "+want) || status.Code(err) != code {
				t.Errorf("ended with %v", err)
			}
		})
	}
}
