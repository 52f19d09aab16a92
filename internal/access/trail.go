package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"tocsin/internal/store"
)

// Deed is what somebody did, for the trail.
type Deed struct {
	// Who did it. Way is how that is known; left out, it is that of whoever asks.
	Who, Way string
	// Deed is what was done, About to what, Detail what else there is to say.
	Deed, About, Detail string
}

// Record writes a deed to the audit trail, in the transaction that does it. Each line carries a hash of itself and of the line before: what is
// changed or taken out later shows (see Verify).
func Record(ctx context.Context, tx *store.Tx, now time.Time, d Deed) error {
	if d.Way == "" {
		d.Way = From(ctx).Way
	}
	last, err := tx.LastTrace(ctx)
	if err != nil {
		return err
	}
	t := store.Trace{ID: last.ID + 1, At: now, Who: d.Who, Way: d.Way, Deed: d.Deed, About: d.About, Detail: d.Detail}
	if t.Hash, err = chained(last.Hash, t); err != nil {
		return err
	}
	return tx.AddTrace(ctx, &t)
}

// chained is the hash of a line that follows one of that hash: SHA-256, in hex, over a JSON list of the hash before, the number, the
// nanoseconds since 1970, and the texts in their order. "" is before the first.
func chained(before string, t store.Trace) (string, error) {
	data, err := json.Marshal([]any{before, t.ID, t.At.UnixNano(), t.Who, t.Way, t.Deed, t.About, t.Detail})
	if err != nil {
		return "", fmt.Errorf("hash audit trail: %w", err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// Verdict is what a look through the trail came to.
type Verdict struct {
	// Lines were looked at; Head is the number and the hash of the last that is whole. Whoever has kept a head can tell later that nothing
	// before it was changed, even by somebody who made all hashes anew.
	Lines int64  `json:"lines"`
	Head  string `json:"head,omitempty"`
	// Broken says what does not fit, at the first place; empty if all does.
	Broken string `json:"broken,omitempty"`
}

// atOnce is how many lines of the trail are read at once.
const atOnce = 1000

// Verify looks through the whole trail for the first line that does not fit to the one before. known, if given, is a Head of before, which
// must still be in it.
func Verify(ctx context.Context, tx *store.Tx, known string) (Verdict, error) {
	var v Verdict
	before, found := store.Trace{}, known == ""
	for {
		lines, err := tx.Traces(ctx, before.ID, atOnce)
		if err != nil {
			return v, err
		}
		for _, t := range lines {
			hash, err := chained(before.Hash, t)
			if err != nil {
				return v, err
			}
			switch {
			case t.ID != before.ID+1:
				v.Broken = fmt.Sprintf("behind line %d comes line %d: what was between is gone", before.ID, t.ID)
			case t.Hash != hash:
				v.Broken = fmt.Sprintf("line %d is not what was written, or the line before it is not: %s by %s of %s", t.ID, t.Deed, t.Who, t.At.UTC().Format(time.RFC3339))
			}
			if v.Broken != "" {
				return v, nil
			}
			before = t
			v.Lines, v.Head = v.Lines+1, fmt.Sprintf("%d:%s", t.ID, t.Hash)
			found = found || v.Head == known
		}
		if len(lines) < atOnce {
			break
		}
	}
	if !found {
		v.Broken = fmt.Sprintf("%s is not in it: all of it was written anew, or its end is gone", known)
	}
	return v, nil
}
