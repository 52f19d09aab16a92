// Keeps a page that is open as it is now: hears that something has changed, fetches it again and puts its main part in the place of
// the old one. Without this script the page can be read all the same.
"use strict";
(() => {
  const lonely = 5000, told = 30000; // how often to look by itself, and while it is told of changes
  const from = document.body.dataset.from;
  const remembered = "tocsin.by";
  let failures = 0, answered = new Date(), following = false, pressed = false, timer;

  // A time is written in UTC; pointing at it says what the clock on the wall says.
  function localTimes() {
    for (const t of document.querySelectorAll("time[datetime]")) t.title = new Date(t.dateTime).toLocaleString();
  }

  // The name under which somebody acts is theirs, and stays in their browser.
  function rememberName() {
    for (const by of document.querySelectorAll("input[name=by]")) {
      try {
        if (!by.value) by.value = localStorage.getItem(remembered) || "";
        by.form.addEventListener("submit", () => localStorage.setItem(remembered, by.value));
      } catch { /* storage is switched off: the name is asked for each time */ }
    }
  }

  function replace(id, fresh) {
    const old = document.getElementById(id), now = fresh.getElementById(id);
    if (old && now && old.outerHTML !== now.outerHTML) old.replaceWith(document.adoptNode(now));
  }

  // What has the focus is known again by its id, else by what it is and leads to, and which of those it is.
  function alike(e) {
    const what = (o) => [o.tagName, o.getAttribute("href"), o.getAttribute("aria-label"), o.textContent.slice(0, 200)].join("\n");
    return [...document.querySelectorAll("main " + e.tagName.toLowerCase())].filter((o) => what(o) === what(e));
  }

  // What somebody has opened, typed, chosen, scrolled or put the cursor into is kept.
  function replaceMain(fresh) {
    const open = [...document.querySelectorAll("main details[open]")].map((d) => d.id);
    const typed = [...document.querySelectorAll("main :is(input, textarea, select)[id]")].map((f) => [f.id, f.value]);
    const focus = document.activeElement, selection = focus && "selectionStart" in focus ? [focus.selectionStart, focus.selectionEnd] : null;
    const focused = focus && focus.id, which = focus && !focused && focus.closest("main") ? alike(focus).indexOf(focus) : -1;
    const scrolled = [...document.querySelectorAll("main :is(.scroll, pre)")].map((e) => [e.scrollLeft, e.scrollTop]);
    replace("main", fresh);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const [id, value] of typed) {
      const field = document.getElementById(id);
      if (field && value) field.value = value;
    }
    document.querySelectorAll("main :is(.scroll, pre)").forEach((e, i) => { if (scrolled[i]) [e.scrollLeft, e.scrollTop] = scrolled[i]; });
    const again = focused ? document.getElementById(focused) : which >= 0 && alike(focus)[which];
    if (!again || again === document.activeElement) return;
    again.focus({ preventScroll: true });
    if (selection && selection[0] !== null) again.setSelectionRange(...selection);
  }

  function lost() {
    if (++failures < 2) return;
    const well = document.getElementById("well");
    well.className = "well unwell";
    well.textContent = "No answer from tocsin since " + answered.toLocaleTimeString() + ": what you see is from then.";
  }

  async function refresh() {
    const marked = getSelection();
    if (document.hidden || (marked && !marked.isCollapsed)) return;
    try {
      const answer = await fetch(from, { cache: "no-store", redirect: "error", signal: AbortSignal.timeout(10000) });
      if (!answer.ok) throw new Error(answer.statusText);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!fresh.getElementById("main")) throw new Error("not a page of tocsin's");
      failures = 0;
      answered = new Date();
      if (pressed) return; // what is under the finger stays there; it looks again once that is up
      document.title = fresh.title;
      replace("well", fresh);
      replaceMain(fresh);
      localTimes();
      rememberName();
    } catch { lost(); }
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(now, following ? told : lonely);
  }

  async function now() {
    clearTimeout(timer);
    await refresh();
    later();
  }

  function follow() {
    const events = new EventSource("/events");
    events.addEventListener("open", () => { following = true; now(); });
    events.addEventListener("changed", now);
    events.addEventListener("error", () => {
      following = false;
      later();
      if (events.readyState === EventSource.CLOSED) setTimeout(follow, told); // it was refused: ask again some day
    });
    addEventListener("pagehide", () => events.close());
  }

  localTimes();
  rememberName();
  if (!from) return;
  later();
  follow();
  document.addEventListener("visibilitychange", now);
  addEventListener("pointerdown", () => { pressed = true; }, true);
  for (const up of ["pointerup", "pointercancel"]) addEventListener(up, () => setTimeout(() => { pressed = false; }), true);
})();
