package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/internal/incident"
)

// ErrHeard is the error of an Update under Once whose name was committed before: it did nothing.
var ErrHeard = errors.New("it was heard before")

// heardFor is how long it is known what was heard: whoever delivers something again does so within a day.
const heardFor = 48 * time.Hour

type onceKey struct{}

type once struct {
	id string
	at time.Time
}

// Once is a context under which an Update is committed one time only, whatever it does: the name is kept in the same transaction, and
// where it is kept already the Update is ErrHeard. One Update, and no second, belongs to a name. It is for what others deliver to us, and
// may deliver again.
func Once(ctx context.Context, id string, at time.Time) context.Context {
	return context.WithValue(ctx, onceKey{}, once{id, at})
}

// hear keeps the name that ctx carries, if it does.
func (tx *Tx) hear(ctx context.Context) error {
	o, ok := ctx.Value(onceKey{}).(once)
	if !ok {
		return nil
	}
	n, err := tx.exec(ctx, "INSERT INTO heard (id, at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING", o.id, stamp(o.at))
	if err == nil && n == 0 {
		return ErrHeard
	}
	if err == nil {
		_, err = tx.exec(ctx, "DELETE FROM heard WHERE at < $1", stamp(o.at.Add(-heardFor)))
	}
	if err != nil {
		return fmt.Errorf("keep what was heard: %w", err)
	}
	return nil
}

var selectByReceipt = selectNotifications + " WHERE receipt = $1 AND kind = 'message' AND receipt <> '' ORDER BY id DESC LIMIT 1"

// MessageAt is the message that a provider gave that receipt for; it wraps ErrNotFound if there is none.
func (tx *Tx) MessageAt(ctx context.Context, receipt string) (incident.Notification, error) {
	n, ok, err := first(ctx, tx, scanNotification, selectByReceipt, receipt)
	if err == nil && !ok {
		err = ErrNotFound
	}
	if err != nil {
		return n, fmt.Errorf("message of receipt %.100s: %w", receipt, err)
	}
	return n, nil
}
