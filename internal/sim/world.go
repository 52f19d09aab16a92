package sim

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"tocsin/internal/store"
)

// Settings are those of one world.
type Settings struct {
	// Seed decides everything that is left to chance.
	Seed uint64
	// Steps is after how many steps the faults stop at the latest, the log's end aside: a step is a committed transaction or a call of
	// a provider.
	Steps int
	// Calm says that nothing breaks and nobody acts, until the log is at its end: the same input without faults.
	Calm bool
	// Plant is a bug to put in (see Plants); "" for none.
	Plant string
	// Trace, if set, gets a line for everything that happens.
	Trace io.Writer
}

// Result is what came of a world.
type Result struct {
	Tally
	// Violation is the first that was found, or nil.
	Violation *Violation
	// Hash is of all that happened: the same for the same seed.
	Hash uint64
	// Story is what was detected and told, for the comparison with a calm world.
	Story map[string]string
}

// World is one simulated service with what is around it.
type World struct {
	s       Settings
	stage   *Stage
	weather weather
	// input decides what is logged, chance what breaks, crowd what people do: each by itself, so that a calm world reads the same.
	input, chance, crowd *rand.Rand

	ctx         context.Context
	began, now  time.Time
	offset      time.Duration // how far the service's clock is ahead
	setBack     time.Duration // by how much it was set back in all
	frozen      time.Time     // until when the process is stopped
	ranUntil    time.Time     // since when it was stopped, by its clock; zero once the engine knows
	jumped      time.Duration // by how much it was set since the engine knows
	db          *store.Store
	life        *life
	current     *task
	dead        bool // the life is being torn down
	healed      bool
	plan        int       // of the stage's, which is in force
	onTheWay    int       // requests that have not arrived
	behind      bool      // the simulation itself writes
	blocked     time.Time // until when a planted bug holds up all targets
	agenda      agenda
	logs        []*sourceLog
	providers   map[string]*provider
	people      people
	hands       hands
	model       model
	tally       Tally
	trace       trace
	violation   *Violation
	unfinished  error
	aliveSince  time.Time
	turns       int // in this minute
	lastTrouble time.Time
}

// start is when all worlds begin: the day before the outage that tocsin was made for.
var start = time.Date(2019, 1, 22, 9, 0, 0, 0, time.UTC)

// Run plays one world to its end: trouble first, then the faults stop and all must drain. An error says that it could not be
// played; what the product did wrong is in the result.
func Run(ctx context.Context, stage *Stage, s Settings) (Result, error) {
	w := &World{s: s, stage: stage, ctx: ctx, began: start, now: start,
		input: rand.New(rand.NewPCG(s.Seed, 1)), chance: rand.New(rand.NewPCG(s.Seed, 2)), crowd: rand.New(rand.NewPCG(s.Seed, 3))}
	w.trace = trace{began: start, out: s.Trace}
	w.weather = newWeather(w.chance, s.Calm)
	w.hands = newHands(s.Seed)
	if chanceOf(w.input, 0.3) {
		w.weather.late = w.input.Float64() / 2
	}
	if err := w.build(); err != nil {
		return Result{}, err
	}
	defer w.close()
	w.play()
	if w.unfinished != nil {
		return Result{}, fmt.Errorf("seed %d, step %d: %w", s.Seed, w.tally.Steps, w.unfinished)
	}
	w.tally.Worlds, w.tally.Span = 1, w.now.Sub(w.began)
	return Result{Tally: w.tally, Violation: w.violation, Hash: w.trace.sum, Story: w.model.story}, nil
}

func (w *World) build() error {
	born := start.Add(-7 * 24 * time.Hour)
	if w.weather.young {
		born = start
	}
	db, err := store.Open(w.ctx, ":memory:", store.Options{Now: func() time.Time { return born }, Fault: w.disk})
	if err != nil {
		return err
	}
	w.db = db
	w.model = newModel()
	w.logs = w.write()
	w.providers = w.newProviders()
	w.begin()
	for _, l := range w.logs {
		w.agenda.add(w.now, func() { w.read(l) })
	}
	for _, e := range w.model.episodes {
		if at := e.from.Add(hearing + time.Minute); at.Before(e.to) {
			w.agenda.add(at, func() { w.heard(e) })
		}
	}
	for _, k := range w.model.leaks {
		w.agenda.add(k.to.Add(hearing+time.Minute), func() { w.heardLeak(k) })
	}
	w.forecast()
	return nil
}

func (w *World) close() {
	if w.life != nil {
		w.tearDown()
	}
	_ = w.db.Close() // in memory: nothing of it is kept
}

// play runs the world: through the trouble, then through the drain.
func (w *World) play() {
	end := w.scriptEnd()
	for w.going() && w.tally.Steps < w.s.Steps && w.now.Before(end) {
		w.once(end)
	}
	if !w.going() {
		return
	}
	w.heal()
	for until := end.Add(drain); w.going() && w.now.Before(until); {
		w.once(until)
	}
	if w.going() {
		w.judge()
	}
}

// drain is how long everything may take to end once the faults have stopped: the longest quiet, a hold, a Retry-After of an hour.
const drain = 6 * time.Hour

func (w *World) going() bool {
	return w.violation == nil && w.unfinished == nil && w.ctx.Err() == nil
}

// once does what comes next, not after limit.
func (w *World) once(limit time.Time) {
	w.rests()
	l := w.nextLoop()
	at := w.agenda.next()
	switch {
	case l != nil && !l.ready(w).After(limit) && (at.IsZero() || !l.ready(w).After(at)):
		w.moveTo(l.ready(w))
		w.turn(l)
	case !at.IsZero() && !at.After(limit):
		w.moveTo(at)
		w.agenda.take().do()
	default:
		w.moveTo(limit)
	}
}

// restless is how many turns within a minute are those of a service that does not come to rest: six times what a storm with its
// providers takes, the most that was seen.
const restless = 1500

// rests checks that what is done once is not done again and again: that would fill the disk, and never end.
func (w *World) rests() {
	if w.turns++; w.turns > restless {
		w.fail("I24", "more than %d turns of its loops within a minute: it does not come to rest", restless)
	}
}

func (w *World) moveTo(t time.Time) {
	if !t.After(w.now) {
		return
	}
	if t.Truncate(time.Minute).After(w.now) {
		w.turns = 0
	}
	w.now = t
}

// wall is what the service's clock says.
func (w *World) wall() time.Time { return w.now.Add(w.offset) }

// say adds a line to the trace.
func (w *World) say(format string, args ...any) { w.trace.say(w.now, format, args...) }

// fail records that an invariant does not hold; the first counts.
func (w *World) fail(invariant, format string, args ...any) {
	if w.violation != nil {
		return
	}
	w.violation = &Violation{Seed: w.s.Seed, Step: w.tally.Steps, Invariant: invariant, Text: fmt.Sprintf(format, args...), Last: w.trace.last()}
}

// broken ends a world that cannot be played on, which is the simulation's own fault.
func (w *World) broken(err error) {
	if w.unfinished == nil {
		w.unfinished = err
	}
}

// view reads the store.
func (w *World) view(do func(tx *store.Tx) error) {
	if err := w.db.View(w.ctx, do); err != nil {
		w.broken(err)
	}
}

// chanceOf says yes with a probability.
func chanceOf(r *rand.Rand, p float64) bool { return p > 0 && r.Float64() < p }

// between is a duration from least to most.
func between(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least)+1))
}
