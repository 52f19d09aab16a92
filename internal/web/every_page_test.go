package web

import (
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"tocsin/internal/incident"
	"tocsin/internal/store"
)

// shown is a service for a browser to look at, its store and the incident in it.
func shown(t *testing.T) (*httptest.Server, *store.Store, incident.Incident) {
	t.Helper()
	s := openStore(t)
	inc, events, told := outage()
	fill(t, s, []incident.Incident{inc, small("tide-502", clock(21, 14, 2, 0), incident.Warning, incident.Resolved, "GitHub answers 502 to tide; ours is well"),
		small("deck-is-slow", clock(23, 11, 2, 0), incident.Warning, incident.Open, "deck is slow")}, events, told, watched()...)
	charted(t, s)
	server := httptest.NewServer(New(options(s)))
	t.Cleanup(server.CloseClientConnections) // a page that follows would hold it up
	t.Cleanup(server.Close)
	return server, s, inc
}

// pagesOf are all pages that a browser shows, by name.
func pagesOf(t *testing.T, inc incident.Incident) map[string]string {
	t.Helper()
	pages := map[string]string{"overview": "/", "incident": "/incidents/" + inc.ID, "declare": "/declare", "silences": "/silences?for=" + inc.ID, "oncall": "/oncall", "rules": "/rules",
		"rule": "/rules/prow-config-load-error", "sources": "/sources", "probes": "/probes", "public": "/status", "refusal": "/login"}
	for _, r := range (&server{Options: options(nil)}).routes() {
		if r.method != "GET" || strings.HasSuffix(r.path, "/postmortem") /* a file to keep */ || slices.ContainsFunc([]string{"/api/", "/static/", "/login", "/healthz", "/readyz", "/metrics", followPath}, func(p string) bool { return strings.HasPrefix(r.path, p) }) {
			continue
		}
		path := strings.NewReplacer("{id}", inc.ID, "{rule}", "prow-config-load-error", "{$}", "").Replace(r.path)
		if !slices.ContainsFunc(slices.Collect(maps.Values(pages)), func(p string) bool { p, _, _ = strings.Cut(p, "?"); return p == path }) {
			t.Errorf("nobody looks at %s in a browser", r.path)
		}
	}
	return pages
}

// unfolded is a script that opens whatever is folded.
const unfolded = `[...document.querySelectorAll("main details")].map((d) => d.open = true).length`

// TestEveryPage: each page, on a desk and on a phone, in light and dark: nothing is wider than the window, all text can be read, whatever one works
// with has a role and a name, and the console is silent. Pictures of them are left to be looked at.
func TestEveryPage(t *testing.T) {
	t.Parallel()
	server, _, inc := shown(t)
	pages := pagesOf(t, inc)
	b := openBrowser(t)
	with := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		for i, size := range []struct {
			name          string
			width, height int64
			schemes       []string // the last is that of the picture
		}{{"desk", 1200, 900, []string{"dark", "light"}}, {"phone", 390, 844, []string{"light", "dark"}}} {
			for _, scheme := range size.schemes {
				where := name + " " + size.name + " " + scheme
				b.sized(size.width, size.height, scheme)
				if i == 0 && scheme == "dark" {
					b.opens(server.URL + pages[name])
					with[name] = b.read()
					eval[int](b, unfolded)
				}
				for _, bad := range eval[[]string](b, contrast) {
					t.Errorf("%s: too little contrast: %s", where, bad)
				}
				if wide := eval[int64](b, "document.documentElement.scrollWidth"); wide > size.width {
					t.Errorf("%s: it is %d wide", where, wide)
				}
			}
			b.accessible(name + " " + size.name)
			b.shot(name + "-" + size.name)
		}
		if name == "refusal" {
			b.complains() // of each page that is one
		}
		b.quiet(name)
	}
	b.sized(1200, 900, "light")
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	for name, path := range pages {
		b.does(chromedp.Navigate(server.URL + path))
		without := b.read()
		if diff := cmp.Diff(with[name], without); diff != "" || len(without) < 5 {
			t.Errorf("%s reads otherwise without a script (-with +without):\n%s", name, diff)
		}
	}
}

// stops is a script for what the Tab key must come to, in this order; of a group of choices it comes to one. The page may be made anew meanwhile.
const stops = `[...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter((e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0 && e.type !== "hidden" &&
    (e.type !== "radio" || e === (document.querySelector("input[type=radio][name=" + e.name + "]:checked") || document.querySelector("input[type=radio][name=" + e.name + "]"))))`

// tabStops is a script that says what each of them is.
const tabStops = stops + `.map((e) => e.outerHTML.slice(0, 90))`

// focused is a script that says which of those has the focus, -1 for none of them, and what is wrong with how that shows.
const focused = `(() => {
  const e = document.activeElement, at = ` + stops + `.indexOf(e), bad = [];
  if (at < 0) return { at, bad };
  const s = getComputedStyle(e), r = e.getClientRects()[0];
  if (s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2) bad.push("no ring");
  const rgb = (c) => (c.match(/[\d.]+/g) || []).map(Number);
  const lum = (c) => { const [r, g, b] = c.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  let back = e.parentElement, c;
  for (; back; back = back.parentElement) { c = rgb(getComputedStyle(back).backgroundColor); if (c.length === 3 || c[3] > 0) break; }
  const [x, y] = [lum(rgb(s.outlineColor).slice(0, 3)), lum(c.slice(0, 3))].sort((p, q) => q - p);
  if ((x + 0.05) / (y + 0.05) < 3) bad.push("its ring is hard to see");
  if (r.bottom <= 0 || r.top >= innerHeight || r.right <= 0 || r.left >= innerWidth) bad.push("it is out of sight");
  return { at, bad };
})()`

// TestKeyboard: on each page the Tab key comes to everything that one can work with, in the order in which it stands there, each time with a ring
// that can be seen, and behind the last it leaves the page: nothing holds it.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	server, _, inc := shown(t)
	pages := pagesOf(t, inc)
	b := openBrowser(t)
	for i, name := range slices.Sorted(maps.Keys(pages)) {
		if i%2 == 0 {
			b.sized(1200, 900, "light")
		} else {
			b.sized(390, 844, "dark")
		}
		b.opens(server.URL + pages[name])
		eval[int](b, unfolded)
		all := eval[[]string](b, tabStops)
		if len(all) < 2 {
			t.Errorf("%s: only %d things to come to", name, len(all))
		}
		type place struct {
			At  int
			Bad []string
		}
		for want := range len(all) + 1 {
			b.does(chromedp.KeyEvent("\t"))
			got := eval[place](b, focused)
			if want == len(all) {
				if got.At > 0 {
					t.Errorf("%s: behind the last the focus is at %s", name, all[got.At])
				}
				break
			}
			if got.At != want {
				t.Errorf("%s: Tab number %d comes to %d, want %s", name, want+1, got.At, all[want])
				break
			}
			for _, bad := range got.Bad {
				t.Errorf("%s: %s: %s", name, all[want], bad)
			}
		}
	}
}

// read is all that the page says, in order, as a screen reader has it.
func (b *chromium) read() (all []string) {
	b.t.Helper()
	for _, n := range call(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		if !n.Ignored && n.Role != nil && string(n.Role.Value) == `"StaticText"` {
			all = append(all, string(n.Name.Value))
		}
	}
	return all
}
