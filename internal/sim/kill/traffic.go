package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"tocsin/internal/fakes"
	"tocsin/internal/incident"
)

// The pace of what goes wrong.
const (
	// openEvery is how often something new goes wrong, unless unheardMost wait for their first page; openFirst until each pager has
	// something. It is slower than what they take.
	openFirst   = 400 * time.Millisecond
	openEvery   = 2 * time.Second
	unheardMost = 12
	// perProject is how many groups share a project, so that what one transaction looks at does not grow with the length of a run.
	perProject = 100
	// secondStep is when the policy pages again.
	secondStep = 4 * time.Second
	// lateness is how much later than its time a line may come, so how long an end is waited for.
	lateness = time.Second
	// rotateEvery is how many lines a file holds before it is rotated.
	rotateEvery = 1500
)

// traffic writes the log, and knows what must come of it. It is safe for concurrent use.
type traffic struct {
	path   string
	chance *chance
	pager  *fakes.PagerDuty
	// wire takes the lines in the file's place, if it is set; lateness is how much later than its time one may come.
	wire     wire
	lateness time.Duration

	mu     sync.Mutex
	file   *os.File
	inFile int
	files  int
	groups []*group
	byHash map[string]*group
	lines  int // appended in all
	opened time.Time
	ending bool // nothing new is to go wrong
	asking []*group
	failed error
	quit   chan struct{}
	over   chan struct{}
}

func newTraffic(path string, c *chance, p *fakes.PagerDuty) *traffic {
	return &traffic{path: path, chance: c, pager: p, lateness: lateness, byHash: map[string]*group{}}
}

// begin starts writing.
func (t *traffic) begin() {
	t.quit, t.over = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(t.over)
		for {
			select {
			case <-t.quit:
				return
			case <-time.After(10 * time.Millisecond):
				t.advance(time.Now())
			}
		}
	}()
}

// stop ends it; it may be called twice.
func (t *traffic) stop() {
	if t.quit == nil {
		return
	}
	close(t.quit)
	<-t.over
	t.quit = nil
	if t.file == nil {
		return
	}
	_ = t.file.Close() // each line has been written, or failed says so
}

// finish lets what has begun come to its end, and nothing new begin.
func (t *traffic) finish() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ending = true
}

// advance does what is due.
func (t *traffic) advance(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	unheard := 0
	for _, g := range t.groups {
		if g.phase == ringing {
			unheard++
		}
	}
	every := openEvery
	if len(t.groups) < pagers/2 {
		every = openFirst
	}
	if !t.ending && unheard < unheardMost && now.Sub(t.opened) >= every {
		t.opened = now
		g := newGroup(len(t.groups), t.chance)
		t.groups = append(t.groups, g)
		t.byHash[incident.KeyHash(g.key)] = g
	}
	for _, g := range t.groups {
		if g.phase != settled && !now.Before(g.next) {
			t.step(g, now)
		}
	}
}

// step does the next thing of a group.
func (t *traffic) step(g *group, now time.Time) {
	wait := func(most time.Duration) { g.next = now.Add(time.Duration(t.chance.below(int(most)))) }
	switch g.phase {
	case gathering:
		t.write(g, now, g.word())
		g.main++
		wait(250 * time.Millisecond)
		if g.left--; g.left > 0 {
			return
		}
		g.phase = settled
		if g.plan != tooFew {
			g.episodes++
			g.crossed = now
			g.phase, g.before = ringing, len(g.rang)
		}
		if g.plan == brief {
			g.phase = firing
		}
	case ringing: // until it has been paged
		g.next = now.Add(20 * time.Millisecond)
		if len(g.rang) > g.before {
			g.phase = firing
			wait(2 * time.Second)
		}
	case firing:
		t.react(g, now)
	case clearing: // until the pager has been told, or what was on its way to it when it cleared has arrived
		g.next = now.Add(50 * time.Millisecond)
		again := g.again > 0 && (g.plan == relapses || !t.ending)
		if again && t.ending {
			g.again, g.hasty = 1, true
		}
		g.hasty = g.hasty && t.lateness < relapseAfter // else it would not have been well
		switch {
		case again && now.Sub(g.cleared) < 2*t.lateness: // sooner it would not have been well at all
		case g.open() > 0 && (!again || !g.hasty || now.Sub(g.cleared) <= relapseAfter):
		case again:
			g.again--
			g.hasty = t.chance.below(2) == 0
			g.phase, g.left = gathering, needed
		default:
			g.phase = settled
		}
	}
}

// react is what people and the system do once a group has been paged.
func (t *traffic) react(g *group, now time.Time) {
	g.next = now.Add(20 * time.Millisecond)
	switch g.plan {
	case stays:
		g.phase = settled
		if g.extra > 0 {
			g.extra--
			t.write(g, now, g.word())
			g.main++
			g.phase, g.next = firing, now.Add(time.Duration(t.chance.below(int(3*time.Second))))
		}
	case ackAtPager:
		t.mu.Unlock() // it tells observe
		done := t.pager.Acknowledge(g.rang[len(g.rang)-1], "alice")
		t.mu.Lock()
		if done {
			g.phase = settled
		}
	case ackByCommand:
		g.phase = acknowledging
		t.asking = append(t.asking, g)
	case clears, relapses, brief:
		if g.plan == relapses && g.again == 0 {
			g.phase = settled
			return
		}
		t.write(g, now, "up")
		g.phase, g.cleared = clearing, now
		if g.plan == brief && len(g.rang) == 0 {
			g.phase = settled // nobody may ever hear of it
		}
	}
}

// write appends one line, now and then in two halves.
func (t *traffic) write(g *group, now time.Time, word string) {
	if t.failed != nil {
		return
	}
	if t.wire == nil && (t.file == nil || t.inFile >= rotateEvery) {
		if t.failed = t.rotate(); t.failed != nil {
			return
		}
	}
	insertID := ""
	if t.lines%2 == 0 { // without one the place in the file says which line it is
		insertID = fmt.Sprintf(`"insertId":"i%d",`, t.lines)
	}
	line := fmt.Sprintf(`{"timestamp":%q,%s"severity":"ERROR","logName":"projects/%s/logs/app","resource":{"type":"k8s_container","labels":{`+
		`"project_id":%[3]q,"cluster_name":%[4]q,"namespace_name":"default","container_name":"app"}},"jsonPayload":{"level":"error","msg":%[5]q}}`+"\n",
		now.UTC().Format(time.RFC3339Nano), insertID, g.project, g.cluster, word)
	if t.wire != nil {
		t.lines++
		t.failed = t.wire.add(line)
		return
	}
	cut := 0
	if t.chance.below(10) == 0 {
		cut = 1 + t.chance.below(len(line)-1)
	}
	for _, part := range []string{line[:cut], line[cut:]} {
		if _, err := t.file.WriteString(part); err != nil {
			t.failed = fmt.Errorf("append a line: %w", err)
			return
		}
		if cut > 0 {
			time.Sleep(time.Duration(t.chance.below(int(3 * time.Millisecond))))
		}
	}
	t.lines++
	t.inFile++
}

// rotate moves the file away, as logrotate does, and begins another.
func (t *traffic) rotate() error {
	if t.file != nil {
		if err := t.file.Close(); err != nil {
			return err
		}
		t.files++
		if err := os.Rename(t.path, fmt.Sprintf("%s.%d", t.path, t.files)); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(t.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	t.file, t.inFile = f, 0
	return err
}

// recover lets the group of a page that is held be well again at once, if it is one that will be: its resolve must not overtake the page.
func (t *traffic) recover(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.byHash[incident.HashOf(key)]
	if g == nil || g.phase != ringing && g.phase != firing || g.plan != clears && g.plan != relapses || g.plan == relapses && g.again == 0 {
		return
	}
	if g.phase == ringing {
		g.excused++ // nobody need hear of it any more
	}
	now := time.Now()
	t.write(g, now, "up")
	g.phase, g.cleared = clearing, now
}

// observe hears what the pager did.
func (t *traffic) observe(e fakes.PagerDutyEvent) {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := t.byHash[incident.HashOf(e.Alert.Key)]
	if g == nil {
		t.failed = fmt.Errorf("the pager heard of %s, which is of no group", e.Alert.Key)
		return
	}
	switch e.Kind {
	case "rang":
		if !g.acknowledged.IsZero() && time.Since(g.acknowledged) > ackGrace {
			g.afterAck++
		}
		if !slices.Contains(g.rang, e.Alert.Key) {
			g.rang = append(g.rang, e.Alert.Key)
			g.rangAt = append(g.rangAt, time.Now())
			if g.paged != nil && len(g.rang) == 1 {
				close(g.paged)
			}
			if g.second != nil && len(g.rang) == 2 {
				close(g.second)
			}
		}
		g.status[e.Alert.Key] = "triggered"
	default:
		g.status[e.Alert.Key] = e.Kind
	}
}

// acknowledge lets the first of the groups that wait for it be acknowledged by command.
func (t *traffic) acknowledge(ctx context.Context, ask func(ctx context.Context, id string) bool) {
	t.mu.Lock()
	if len(t.asking) == 0 {
		t.mu.Unlock()
		return
	}
	g := t.asking[0]
	id := g.incident()
	t.mu.Unlock()
	if !ask(ctx, id) {
		return // it is asked again: an answer that was lost is no answer
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.asking) > 0 && t.asking[0] == g { // else another process has been asked meanwhile
		t.asking = t.asking[1:]
		g.acknowledged, g.phase = time.Now(), settled
	}
}

// probe lets a group fire with a line that is written now, and stay.
func (t *traffic) probe() *group {
	t.mu.Lock()
	defer t.mu.Unlock()
	g := newGroup(len(t.groups), t.chance)
	g.plan, g.extra, g.left, g.again = stays, 0, 1, 0
	g.key.Rule = "kill-broken"
	g.paged, g.second = make(chan struct{}), make(chan struct{})
	t.groups = append(t.groups, g)
	t.byHash[incident.KeyHash(g.key)] = g
	t.step(g, time.Now())
	return g
}

// rangAfter is how long after at its first page rang, stepAfter how much later its second than it was due, or than at if that is later.
func (t *traffic) rangAfter(g *group, at time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(g.rangAt) < 1 {
		return never
	}
	return g.rangAt[0].Sub(at)
}

func (t *traffic) stepAfter(g *group, at time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(g.rangAt) < 2 {
		return never
	}
	if due := g.rangAt[0].Add(secondStep); due.After(at) {
		at = due
	}
	return max(g.rangAt[1].Sub(at), 0) // it may have come before
}

// never is how long what has not come took.
const never = time.Hour

// err is what went wrong with the traffic itself.
func (t *traffic) err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}
