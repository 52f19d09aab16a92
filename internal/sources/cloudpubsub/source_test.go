package cloudpubsub

import (
	"testing"

	"cloud.google.com/go/pubsub/v2/apiv1/pubsubpb"
	"github.com/google/go-cmp/cmp"
)

// A message is acknowledged once its batch is committed, not before, and only once.
func TestAcknowledgedOnceCommitted(t *testing.T) {
	for name, exactlyOnce := range map[string]bool{"at least once": false, "exactly once": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(s *pubsubpb.Subscription) { s.EnableExactlyOnceDelivery = exactlyOnce })
			r := w.read(nil)
			ids := []string{w.publish(entry(1)), w.publish(entry(2)), w.publish("just text")}
			eventually(t, "all have come", func() bool { return len(r.lines()) == 3 })
			if diff := cmp.Diff([]string{"just text", "line 1", "line 2"}, r.lines()); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			for _, id := range ids {
				if m := w.server.Message(id); m.Acks != 0 {
					t.Errorf("message %s was acknowledged before anything was committed", id)
				}
			}
			r.commit()
			r.commit() // it changes nothing
			for _, id := range ids {
				eventually(t, "message "+id+" is acknowledged", func() bool { return w.server.Message(id).Acks == 1 })
			}
			r.stop()
			want := map[string]int64{messages: 3, acknowledged: 3, givenBack: 0, unacknowledged: 0, bad: 0, streams: 1, breaks: 0}
			got := r.src.Counts()
			got[breaks] = 0 // the end of the stream, or not
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
		})
	}
}

// What was handed on and not committed when reading ends is given back, and comes to whoever reads next; what was committed does not.
func TestGivenBack(t *testing.T) {
	w := newWorld(t, nil)
	r := w.read(nil)
	first := w.publish(entry(1))
	eventually(t, "the first has come", func() bool { return len(r.lines()) == 1 })
	r.commit()
	eventually(t, "the first is acknowledged", func() bool { return w.server.Message(first).Acks == 1 })
	second := w.publish(entry(2))
	eventually(t, "the second has come", func() bool { return len(r.lines()) == 2 })
	r.cancel()
	next := w.read(nil)
	eventually(t, "the second comes again", func() bool { return len(next.lines()) == 1 })
	if diff := cmp.Diff([]string{"line 2"}, next.lines()); diff != "" {
		t.Errorf("entries that came to the next (-want +got):\n%s", diff)
	}
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	r.commit() // too late: it changes nothing
	next.commit()
	eventually(t, "the second is acknowledged", func() bool { return w.server.Message(second).Acks == 1 })
	next.stop()
	if d := w.server.Message(second).Deliveries; d != 2 {
		t.Errorf("the second was delivered %d times, want 2", d)
	}
}

// What was not committed when reading ends but soon after is acknowledged all the same: the service drains.
func TestCommittedWhileItEnds(t *testing.T) {
	w := newWorld(t, nil)
	r := w.read(nil)
	id := w.publish(entry(1))
	eventually(t, "it has come", func() bool { return len(r.lines()) == 1 })
	r.cancel()
	r.commit()
	if err := <-r.ended; err != nil {
		t.Error(err)
	}
	eventually(t, "it is acknowledged", func() bool { return w.server.Message(id).Acks == 1 })
	if d := w.server.Message(id).Deliveries; d != 1 {
		t.Errorf("it was delivered %d times, want once", d)
	}
}

// Messages that hold no entry are counted; what can be kept of them is, and all are acknowledged.
func TestBadMessages(t *testing.T) {
	w := newWorld(t, nil)
	r := w.read(nil)
	ids := []string{w.publish("  "), w.publish(`{"insertId":"a","textPay`), w.publish("\xff\xfe")}
	eventually(t, "both that hold something have come", func() bool { return len(r.lines()) == 2 })
	if diff := cmp.Diff([]string{`{"insertId":"a","textPay`, "\ufffd\ufffd"}, r.lines()); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	eventually(t, "all are acknowledged", func() bool {
		r.commit()
		for _, id := range ids {
			if w.server.Message(id).Acks != 1 {
				return false
			}
		}
		return true
	})
	r.stop()
	if n := r.src.Counts()[bad]; n != 3 {
		t.Errorf("%d bad messages, want 3", n)
	}
}

// No more is held than may be: the rest comes once there is room.
func TestOutstanding(t *testing.T) {
	w := newWorld(t, nil)
	for i := range 50 {
		w.publish(entry(i))
	}
	r := w.read(func(s *Settings) { s.MaxOutstandingMessages = 10 })
	eventually(t, "ten have come", func() bool { return len(r.lines()) == 10 })
	for done := 0; done < 50; {
		held := len(r.lines())
		if held > done+10 {
			t.Fatalf("%d have come when %d were committed", held, done)
		}
		done = held
		r.commit()
		eventually(t, "more have come", func() bool { return done == 50 || len(r.lines()) > done })
	}
	r.stop()
	if n := r.src.Counts()[acknowledged]; n != 50 {
		t.Errorf("%d acknowledged, want 50", n)
	}
}
