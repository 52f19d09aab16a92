package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tocsin/internal/logs"
	"tocsin/internal/store"
)

// How a source is that several read is told from all of them: it has caught up when all have, it has come as far as the slowest, and it
// is blind when none can read.
func TestJudgeReadings(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	at := func(ago time.Duration) time.Time { return now.Add(-ago) }
	well := store.Reading{Process: "a/1", Lives: true, CaughtUp: true, Clock: at(time.Second)}
	behind := store.Reading{Process: "b/1", Lives: true, Clock: at(10 * time.Minute)}
	dead := store.Reading{Process: "c/1", CaughtUp: true, Clock: at(3 * time.Minute)}
	refused := store.Reading{Process: "d/1", Lives: true, Clock: at(time.Hour), Why: "access denied"}
	begins := store.Reading{Process: "e/1", Lives: true}
	tests := map[string]struct {
		readings []store.Reading
		began    time.Duration // ago
		want     logs.Batch
		trouble  string
	}{
		"all have caught up":              {[]store.Reading{well, well}, time.Hour, logs.Batch{CaughtUp: true}, ""},
		"one is behind":                   {[]store.Reading{well, behind}, time.Hour, logs.Batch{Watermark: behind.Clock}, ""},
		"one has died":                    {[]store.Reading{well, dead}, time.Hour, logs.Batch{Watermark: dead.Clock}, ""},
		"one is behind, one has died":     {[]store.Reading{dead, behind, well}, time.Hour, logs.Batch{Watermark: behind.Clock}, ""},
		"one begins":                      {[]store.Reading{well, begins}, time.Hour, logs.Batch{}, ""},
		"one may not, others read for it": {[]store.Reading{refused, well}, time.Hour, logs.Batch{CaughtUp: true}, ""},
		"none may":                        {[]store.Reading{refused, refused}, time.Hour, logs.Batch{Blind: true}, "d/1: access denied; d/1: access denied"},
		"none reads after a start":        {nil, time.Second, logs.Batch{}, ""},
		"none reads":                      {nil, time.Hour, logs.Batch{Blind: true}, "no process reads it"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			trouble := ""
			r := &handedReader{name: "logs", began: at(tt.began), tell: func(err error) { trouble = fmt.Sprint(err) }}
			var b logs.Batch
			r.judge(&b, tt.readings, now)
			if diff := cmp.Diff(tt.want, b); diff != "" || trouble != tt.trouble {
				t.Errorf("trouble %q, want %q; (-want +got):\n%s", trouble, tt.trouble, diff)
			}
			if tt.trouble != "" {
				b = logs.Batch{}
				if r.judge(&b, []store.Reading{well}, now); b.Blind || trouble != "<nil>" {
					t.Errorf("one reads again: blind %v, told %q", b.Blind, trouble)
				}
			}
		})
	}
}
