package sim

import (
	"errors"
	"time"

	"tocsin/internal/outbox"
	"tocsin/notifiers"
)

// The bugs that can be put in.
const (
	epochSurvives = "epoch survives a restart"
	noLedger      = "no ledger of what was seen"
)

var errDisk = errors.New("disk error")

func (w *World) plantRestart()                                                      {}
func (w *World) plantOffered(_ *sourceLog)                                          {}
func (w *World) plantNotifier(_ *provider, n notifiers.Notifier) notifiers.Notifier { return n }
func (w *World) plantOutbox(_ *outbox.Options)                                      {}
func (w *World) plantAnswer(at time.Time) time.Time                                 { return at }
