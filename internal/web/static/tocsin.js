// Keeps a page that is open as it is now: fetches it again and puts its main part in the place of the old one. Without
// this script the page can be read all the same.
"use strict";
(() => {
  const every = 5000;
  const from = document.body.dataset.from;
  const remembered = "tocsin.by";
  let failures = 0, answered = new Date();

  // A time is written in UTC; pointing at it says what the clock on the wall says.
  function localTimes() {
    for (const t of document.querySelectorAll("time[datetime]")) t.title = new Date(t.dateTime).toLocaleString();
  }

  // The name under which somebody acknowledges is theirs, and stays in their browser.
  function rememberName() {
    const by = document.getElementById("by");
    if (!by) return;
    try {
      if (!by.value) by.value = localStorage.getItem(remembered) || "";
      by.form.addEventListener("submit", () => localStorage.setItem(remembered, by.value));
    } catch { /* storage is switched off: the name is asked for each time */ }
  }

  function replace(id, fresh) {
    const old = document.getElementById(id), now = fresh.getElementById(id);
    if (old && now && old.outerHTML !== now.outerHTML) old.replaceWith(document.adoptNode(now));
  }

  // What somebody has opened, typed or put the cursor into is kept.
  function replaceMain(fresh) {
    const open = [...document.querySelectorAll("main details[open]")].map((d) => d.id);
    const by = document.getElementById("by"), typed = by && by.value;
    const focused = document.activeElement === by && by ? [by.selectionStart, by.selectionEnd] : null;
    replace("main", fresh);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    const again = document.getElementById("by");
    if (!again) return;
    if (typed) again.value = typed;
    if (focused) { again.focus({ preventScroll: true }); again.setSelectionRange(...focused); }
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
      document.title = fresh.title;
      replace("well", fresh);
      replaceMain(fresh);
      localTimes();
      rememberName();
    } catch { lost(); }
  }

  async function forever() {
    await refresh();
    setTimeout(forever, every);
  }

  localTimes();
  rememberName();
  if (!from) return;
  setTimeout(forever, every);
  document.addEventListener("visibilitychange", refresh);
})();
