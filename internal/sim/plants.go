package sim

import (
	"errors"
	"time"
)

// Plant is a bug that can be put into a world, to show that it would be found. Nothing of it is in the product: what the product would
// do wrong is done at its seams: the notifiers, the batches, the Desk, the options, or behind its back in the store.
type Plant struct {
	Name string
	// What says what is done.
	What string
}

// The names of the bugs.
const (
	markFirst       = "mark before send"
	cursorFirst     = "cursor before commit"
	cursorSlice     = "cursor with the first slice"
	noLedger        = "no ledger of what was seen"
	readsOn         = "reader goes on where it was"
	keyFingerprint  = "dedup key is the fingerprint"
	timersInMemory  = "timers in memory"
	staleEscalation = "escalation without a look at the acknowledge"
	givesUp         = "gives up after four attempts"
	noHoldOff       = "resolve without hold-off"
	epochSurvives   = "epoch survives a restart"
	stranded        = "in flight for ever"
	noLookUp        = "Slack without look-up"
	noSecondPath    = "no second path"
	raiseUnheard    = "a raise takes no acknowledge back"
	ackForever      = "a forgotten acknowledge stays"
	limitBlocks     = "a 429 blocks everybody"
	resolveDropped  = "a resolve is dropped"
	editDropped     = "an edit is dropped"
	absenceAtStart  = "a restart raises an absence"
	wrongClock      = "steps count from the asking"
	mergeDropsPage  = "a merge ends the page of both"
	staleAnswer     = "an answer counts from when it is heard"
	policyForgotten = "a reopened incident calls nobody"
	silenceHides    = "a silence hides a resolve"
	actsTwice       = "an acknowledge is written twice"
	mergeForgets    = "a merge forgets the escalation"
	notAnew         = "what is ended by hand does not fire anew"
	splitForgotten  = "what is split finds together again"
	staysDue        = "what is done stays due"
)

// Plants are all bugs that can be put in.
var Plants = []Plant{
	{markFirst, "a row is sent before the provider has been called"},
	{cursorFirst, "the cursor is stored when a batch is taken, not with what came of it"},
	{cursorSlice, "the cursor is stored with the first slice of a batch"},
	{noLedger, "an entry that is read again counts again"},
	{readsOn, "after a crash a source is read on from where it was read to, not from the stored cursor"},
	{keyFingerprint, "a pager's key stands for the (rule, group), not for the occurrence and the round"},
	{timersInMemory, "what is due is forgotten by a restart"},
	{staleEscalation, "the escalation writes back an incident that it had read in a transaction before"},
	{givesUp, "a page is given up after four attempts"},
	{noHoldOff, "a resolve does not wait for a trigger that may be on its way"},
	{epochSurvives, "the epoch of before a restart is that of after it"},
	{stranded, "what was in flight when the process died is never settled"},
	{noLookUp, "an unclear message is sent again without looking for it"},
	{noSecondPath, "the fallback does not hear of a page that nobody accepts"},
	{raiseUnheard, "what is new leaves an acknowledge in force that does not cover it"},
	{ackForever, "an acknowledge is not taken back after four hours"},
	{limitBlocks, "a 429 of one provider holds up all"},
	{resolveDropped, "one in four resolves to a pager is dropped"},
	{editDropped, "one in four edits is dropped"},
	{absenceAtStart, "after a restart a source counts as seen since ever"},
	{wrongClock, "the next step counts from when the call was asked for, not from when it was accepted"},
	{mergeDropsPage, "of two incidents that become one, neither calls anybody any more"},
	{staleAnswer, "an acknowledge at a pager counts as of now, whenever it was given"},
	{policyForgotten, "an incident that is reopened does not begin its policy"},
	{silenceHides, "what is silenced when it ends is not told as over"},
	{actsTwice, "what a person does is written into the timeline twice"},
	{mergeForgets, "of two incidents that a person merges, the one that goes on has no next step"},
	{notAnew, "once somebody has ended what only a person ends, its lines are not read any more"},
	{splitForgotten, "that a person has split two incidents is forgotten"},
	{staysDue, "what the escalation has done for an acknowledged incident is due at once again"},
}

// planted says whether a bug is in this world.
func (w *World) planted(name string) bool { return w.s.Plant == name }

var errDisk = errors.New("disk error")

// plantAnswer is when an answer at a pager was given.
func (w *World) plantAnswer(at time.Time) time.Time {
	if w.planted(staleAnswer) {
		return w.wall()
	}
	return at
}
