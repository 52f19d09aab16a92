package web

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// shots is where the pictures of the pages are left, for people to look at; git ignores it.
const shots = "testdata/shots"

// chromium is one browser for all of these tests. It says what went wrong in its console.
type chromium struct {
	context.Context
	t     *testing.T
	mu    sync.Mutex
	wrong []string
}

func openBrowser(t *testing.T) *chromium {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil && path == "" {
			path = found
		}
	}
	if path == "" {
		t.Fatal("there is no chromium: make test installs it")
	}
	if err := os.MkdirAll(shots, 0o755); err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WSURLReadTimeout(time.Minute),
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-dev-shm-usage", true))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := &chromium{Context: ctx, t: t}
	b.does(chromedp.Navigate("about:blank")) // which starts it
	b.Context, stop = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(stop)
	err := chromedp.Listen(ctx, func(ev any) {
		text := ""
		switch ev := ev.(type) {
		case *runtime.EventExceptionThrown:
			text = fmt.Sprintf("%+v", ev.ExceptionDetails)
		case *runtime.EventConsoleAPICalled:
			text = fmt.Sprintf("console.%s %v", ev.Type, ev.Args)
		case *log.EventEntryAdded:
			text = fmt.Sprintf("%s: %s (%s)", ev.Entry.Level, ev.Entry.Text, ev.Entry.URL)
		}
		if text != "" {
			b.mu.Lock()
			b.wrong = append(b.wrong, text)
			b.mu.Unlock()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call(b, log.Enable, cdp.Empty{})
	call(b, accessibility.Enable, cdp.Empty{})
	return b
}

// call sends one command to the page.
func call[P, R any](b *chromium, cmd cdp.Command[P, R], params P) R {
	b.t.Helper()
	r, err := chromedp.Call(b.Context, cmd, params)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *chromium) does(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.Context, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// until waits for what a script says to be true. Between two pages there is none that could say anything.
func (b *chromium) until(script string) {
	b.t.Helper()
	look := time.NewTicker(20 * time.Millisecond) // another process is at work
	defer look.Stop()
	for {
		yes, err := chromedp.Run(b.Context, chromedp.Evaluate[bool](script))
		if yes && err == nil {
			return
		}
		if b.Err() != nil {
			b.t.Fatalf("it never came to %s: %v", script, err)
		}
		<-look.C
	}
}

// opens goes to a page.
func (b *chromium) opens(url string) {
	b.t.Helper()
	b.does(chromedp.Navigate(url), chromedp.WaitVisible(chromedp.CSS("#main")))
}

// types writes into a field, clicks presses, sees waits for something. None of them keeps hold of what it has found: a page that follows is
// made anew under one's hands.
func (b *chromium) types(at, text string) {
	b.t.Helper()
	b.sees(at)
	b.until(fmt.Sprintf(`(() => { document.querySelector(%[1]q).focus(); return document.activeElement === document.querySelector(%[1]q); })()`, at))
	b.does(chromedp.KeyEvent(text))
}

func (b *chromium) clicks(at string) {
	b.t.Helper()
	b.sees(at)
	place := eval[[]float64](b, fmt.Sprintf(`(() => { const e = document.querySelector(%q); e.scrollIntoView({ block: "center" }); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; })()`, at))
	b.does(chromedp.MouseClickXY(place[0], place[1]))
}

func (b *chromium) sees(at string) {
	b.t.Helper()
	b.until(fmt.Sprintf(`!!document.querySelector(%q)?.checkVisibility()`, at))
}

// quiet holds that nothing was said in the console.
func (b *chromium) quiet(where string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, text := range b.wrong {
		b.t.Errorf("%s: the console says %s", where, text)
	}
	b.wrong = nil
}

// complains waits for the console to say that a page is not 200, and forgets it.
func (b *chromium) complains() {
	b.t.Helper()
	look := time.NewTicker(20 * time.Millisecond) // another process is at work
	defer look.Stop()
	for b.Err() == nil {
		b.mu.Lock()
		said := len(b.wrong) == 1 && strings.Contains(b.wrong[0], "the server responded with a status of")
		if said {
			b.wrong = nil
		}
		b.mu.Unlock()
		if said {
			return
		}
		<-look.C
	}
	b.t.Fatal("the console has nothing to say of a page that is refused")
}

// sized makes the window of that size, in dark or light.
func (b *chromium) sized(width, height int64, scheme string) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 500})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// shot leaves a picture of the whole page.
func (b *chromium) shot(name string) {
	b.t.Helper()
	data, err := chromedp.Run(b.Context, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(shots, name+".png"), data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// eval is what a script says.
func eval[T any](b *chromium, script string) (v T) {
	b.t.Helper()
	v, err := chromedp.Run(b.Context, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// controls are the roles that somebody works with.
var controls = map[string]bool{"button": true, "link": true, "textbox": true, "combobox": true, "checkbox": true, "searchbox": true, "DisclosureTriangle": true, "region": true, "img": true, "image": true, "navigation": true}

// accessible holds that whatever one can work with has a role and a name.
func (b *chromium) accessible(where string) {
	b.t.Helper()
	nodes := call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes
	value := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		return strings.Trim(string(v.Value), `"`)
	}
	seen := 0
	for _, n := range nodes {
		role, name := value(n.Role), value(n.Name)
		focusable := false
		for _, p := range n.Properties {
			focusable = focusable || p.Name == accessibility.PropertyNameFocusable && string(p.Value.Value) == "true"
		}
		if n.Ignored || !controls[role] && !focusable || role == "RootWebArea" {
			continue
		}
		seen++
		if name == "" || role == "" || role == "generic" {
			b.t.Errorf("%s: something of the role %q has the name %q", where, role, name)
		}
	}
	if seen < 2 {
		b.t.Errorf("%s: only %d controls are found", where, seen)
	}
}

// contrast is a script that finds text with less contrast to what is behind it than WCAG's 4.5 (3 where it is large, and for what is drawn).
const contrast = `(() => {
  const rgb = (c) => (c.match(/[\d.]+/g) || []).map(Number);
  const lum = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  const under = (e) => { // of text in a picture: what is drawn before it in the same place
    const r = e.getBoundingClientRect(), x = r.x + r.width / 2, y = r.y + r.height / 2;
    const rects = [...e.ownerSVGElement.querySelectorAll("rect")].filter((o) => { const q = o.getBoundingClientRect(); return q.left <= x && x <= q.right && q.top <= y && y <= q.bottom; });
    return rects.length ? rgb(getComputedStyle(rects.at(-1)).fill).slice(0, 3) : behind(e.ownerSVGElement);
  };
  const bad = [];
  const ask = (front, back, least, what) => {
    const [a, b] = [lum(front.slice(0, 3)), lum(back)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    if (!(ratio >= least)) bad.push(ratio.toFixed(2) + " " + what.slice(0, 40));
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest("script, noscript, title, :disabled, .skip, option")) continue;
    const s = getComputedStyle(e), text = walk.currentNode.data.trim();
    if (e.closest("svg")) ask(rgb(s.fill), under(e), 4.5, text);
    else ask(rgb(s.color), behind(e), parseFloat(s.fontSize) >= 24 ? 3 : 4.5, text);
  }
  for (const e of document.querySelectorAll(".key, .pip, .dot")) if (e.checkVisibility()) ask(rgb(getComputedStyle(e).backgroundColor), behind(e.parentElement), 3, e.className);
  return bad;
})()`

// TestBrowser: a person follows a page live, acknowledges, notes and silences, on a phone.
func TestBrowser(t *testing.T) {
	t.Parallel()
	server, s, inc := shown(t)
	b := openBrowser(t)
	b.sized(390, 844, "dark")
	b.opens(server.URL + "/")
	later := small("deck-is-down", clock(23, 12, 4, 0), incident.Critical, incident.Open, "deck is down")
	fill(t, s, []incident.Incident{later}, nil, nil)
	written := time.Now()
	b.sees(`a[href="/incidents/` + later.ID + `"]`)
	if took := time.Since(written); took > 15*time.Second { // a page that is not told looks after 30 s by itself
		t.Errorf("the page shows what is new after %s", took)
	}

	link := fmt.Sprintf(`a[href="/incidents/%s"]`, inc.ID)
	b.until(fmt.Sprintf(`(() => { const link = document.querySelector(%q); link.focus(); return document.activeElement === link; })()`, link))
	eval[bool](b, `window.before = document.getElementById("main"), true`)
	fill(t, s, nil, []incident.Event{{Incident: inc.ID, At: noon, Kind: incident.EventNote, Text: "something happens"}}, nil)
	b.until(`document.getElementById("main") !== window.before`)
	if !eval[bool](b, fmt.Sprintf(`document.activeElement === document.querySelector(%q)`, link)) {
		t.Errorf("after the page was made anew the focus is at %s", eval[string](b, `document.activeElement.outerHTML.slice(0, 100)`))
	}

	b.opens(server.URL + "/incidents/" + inc.ID)
	b.types("#by", "ana")
	b.clicks("button.main")
	b.sees(".state.acknowledged")
	if ack := everything(t, s, inc.ID).Incident.Acknowledgement; ack == nil || ack.By != "ana" {
		t.Errorf("it is acknowledged as %+v", ack)
	}
	b.until(`(() => { const note = document.querySelector("#note"); if (!note.open) note.querySelector("summary").click(); return note.open; })()`) // the page may be made anew between a look and a click
	b.types("#text", "the disk is <b>full</b>")
	fill(t, s, nil, []incident.Event{{Incident: inc.ID, At: noon, Kind: incident.EventEscalated, Text: "something else happens"}}, nil)
	b.until(`document.body.innerText.includes("something else happens")`)
	if typed := eval[string](b, `document.getElementById("text").value`); typed != "the disk is <b>full</b>" || !eval[bool](b, `document.activeElement.id === "text"`) {
		t.Errorf("after the page was made anew %q is typed", typed)
	}
	b.clicks("#note button")
	b.until(`!!document.querySelector(".timeline")?.innerText.includes("the disk is <b>full</b>")`)
	b.until(`document.getElementById("by").value === "ana"`) // it is remembered

	b.clicks("a.button")
	b.sees("#matchers")
	b.types("#reason", "an upgrade")
	b.clicks(".wish button.main")
	b.sees("#preview")
	b.shot("preview-phone")
	b.clicks(`button[formaction="/silences"]`)
	b.sees(`form[action="/silences/1/expire"]`)
	var made incident.Silence
	err := s.View(t.Context(), func(tx *store.Tx) (err error) {
		made, err = tx.Silence(t.Context(), 1)
		return err
	})
	if err != nil || made.Owner != "ana" || made.Reason != "an upgrade" || len(made.Matchers) != 2 {
		t.Errorf("the silence is %+v, %v", made, err)
	}
	b.quiet("at the end")
}
