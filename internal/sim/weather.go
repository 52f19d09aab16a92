package sim

import (
	"context"
	"math/rand/v2"
	"time"

	"tocsin/internal/store"
)

// weather says which faults a world has, and how often: each world has some of them, so that each is also met alone.
type weather struct {
	// young lets the store be new, so that the outbox looks for what an earlier life has told.
	young bool
	// late is how many lines come late, readAgain how often lines are read once more, readerFails how often a reader ends.
	late, readAgain, readerFails float64
	readDelay                    time.Duration
	// crashAt is how often the process ends at a named failpoint, crashBetween between two steps; longDown how often it then
	// stays away for hours.
	crashAt, crashBetween, longDown float64
	// dawdle is how often a step of the outbox waits between claim, call and mark, freeze how often the process is stopped in
	// the middle of a call.
	dawdle, freeze float64
	// slow, lost, refused, limited are what befalls a call: late, without an answer, refused, 429.
	slow, lost, refused, limited float64
	// outages lets providers be away for hours, clocks the service's clock jump.
	outages, clocks bool
	// reloads puts another configuration in force now and then, silences lets somebody silence something.
	reloads, silences bool
	// disk is how often the store's disk fails.
	disk float64
	// answer is how often somebody answers what rings.
	answer float64
}

func newWeather(r *rand.Rand, calm bool) weather {
	some := func(p, most float64) float64 {
		x, y := r.Float64(), r.Float64()
		if calm || x > p {
			return 0
		}
		return most * y
	}
	return weather{
		young: chanceOf(r, 0.2), readDelay: 10*time.Millisecond + between(r, 0, 20*time.Second),
		readAgain: some(0.5, 0.3), readerFails: some(0.3, 0.02),
		crashAt: some(0.6, 0.02), crashBetween: some(0.5, 0.004), longDown: some(0.3, 0.1),
		dawdle: some(0.5, 0.2), freeze: some(0.3, 0.03),
		slow: some(0.5, 0.2), lost: some(0.6, 0.2), refused: some(0.5, 0.2), limited: some(0.4, 0.1),
		outages: some(0.4, 1) > 0, clocks: some(0.15, 1) > 0, reloads: some(0.2, 1) > 0, silences: some(0.25, 1) > 0,
		disk: some(0.25, 0.01), answer: some(0.8, 1),
	}
}

// forecast puts the troubles to come into the agenda.
func (w *World) forecast() {
	if w.s.Calm {
		return
	}
	w.plans()
	often := func(is bool, do func()) {
		for at := w.began; is; w.agenda.add(at, do) {
			if at = at.Add(between(w.chance, time.Minute, 16*time.Hour)); at.After(w.began.Add(span)) {
				return
			}
		}
	}
	often(w.weather.clocks, w.jump)
	for range 4 {
		often(w.weather.silences, w.silence)
	}
	often(w.weather.reloads, func() {
		if !w.healed {
			w.reload(1 - w.plan)
		}
	})
	if w.weather.outages {
		for _, name := range targets {
			p := w.providers[name]
			for at := w.began; ; {
				at = at.Add(between(w.chance, time.Hour, 24*time.Hour))
				if at.After(w.began.Add(span)) {
					break
				}
				kind := []string{"refuses", "refuses", "silent", "revoked"}[w.chance.IntN(4)]
				long := between(w.chance, time.Minute, 20*time.Minute)
				if chanceOf(w.chance, 0.4) {
					long = between(w.chance, time.Hour, 7*time.Hour)
				}
				w.agenda.add(at, func() { p.suffer(kind) })
				at = at.Add(long)
				w.agenda.add(at, func() { p.suffer("") })
			}
		}
	}
}

// suffer begins or ends an outage.
func (p *provider) suffer(kind string) {
	w := p.w
	if w.healed && kind != "" {
		return
	}
	if kind != "" {
		w.tally.Outages++
	}
	w.say("%s: %q", p.name, kind)
	p.trouble = kind
	p.well = later(p.well, w.now)
}

// heal ends all faults for good.
func (w *World) heal() {
	w.say("the faults stop")
	w.healed = true
	w.weather = weather{readDelay: time.Second}
	w.frozen = time.Time{}
	for _, name := range w.targets() {
		p := w.providers[name]
		p.trouble, p.hold, p.unlucky = "", time.Time{}, 0
		p.well = later(p.well, w.now)
	}
	if w.life == nil {
		w.restart()
	}
	w.reload(0)
	for i := range 20 {
		w.pollSoon(time.Duration(i) * 15 * time.Minute)
	}
	w.closing()
}

// pollSoon asks the pagers for what people said, a little later.
func (w *World) pollSoon(after time.Duration) {
	w.agenda.add(w.now.Add(after).Add(between(w.crowd, 0, 30*time.Second)), w.poll)
}

// poll asks each pager about the pages that are out, as app's loop does.
func (w *World) poll() {
	if w.life == nil || w.now.Before(w.frozen) {
		return // the next life begins with it
	}
	keys := map[string][]string{}
	w.view(func(tx *store.Tx) error {
		calls, err := tx.UnsettledCalls(w.ctx)
		for _, n := range calls {
			keys[n.Target] = append(keys[n.Target], n.Key)
		}
		return err
	})
	away := false
	for _, name := range targets {
		p := w.providers[name]
		if !p.traits.Pages || len(keys[name]) == 0 {
			continue
		}
		answers, err := (pager{p}).Poll(w.ctx, keys[name])
		if err != nil {
			away = true
			continue
		}
		for _, a := range answers {
			if w.life == nil {
				return
			}
			at := w.plantAnswer(a.At)
			w.guarded("answering", func() error {
				return w.life.actions.Answered(context.WithoutCancel(w.ctx), name, a.Key, a.State, a.By, at, w.wall())
			})
		}
	}
	if away { // once, however many are away: else the looks double each minute
		w.pollSoon(time.Minute)
	}
	w.acted()
}

// acted is what follows when a person has done something.
func (w *World) acted() {
	w.committed()
	w.wake()
}
