package cloudlog

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

// TestPast reads two days that were, in order, once each, at a third of the calls, and waits when the quota is used up.
func TestPast(t *testing.T) {
	withoutTail(t, nil, func(w *world) {
		w.add("before", 49*time.Hour)
		w.add("later", 20*time.Hour+time.Minute)
		w.add("first", 47*time.Hour)
		w.add("behind", time.Minute)
		now := time.Now()
		began := now
		w.server.Fail(1, codes.ResourceExhausted, "quota exceeded")
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		p, err := NewPast(ctx, "prow", w.src.settings, w.src.Options, now.Add(-48*time.Hour), now.Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		for {
			b, err := p.Next(ctx)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if len(b.Data) > 0 {
				w.sent = append(w.sent, b)
			}
		}
		w.want("first", "later")
		if p.Calls() != 48 || !p.At().Equal(now.Add(-time.Hour)) {
			t.Errorf("%d calls up to %s, want 48: one an hour and one that was refused", p.Calls(), p.At())
		}
		if took := time.Since(began); took < pastPause+2*time.Minute {
			t.Errorf("it took %s: 48 calls at 20 a minute, and a wait for the quota, take longer", took)
		}
	})
}
