/** The page's frame: which of its views is open, what is wrong, what was said. */

import { ask, complain, connection, listen, notices, onEvent } from "./api.js";
import { html, render, useEffect, useLayoutEffect, useRef, useState, useStore } from "./lib.js";

const VIEWS = {
  "": { title: "Runs", load: () => import("./runs.js").then((m) => m.Runs) },
  run: { title: "Run", load: () => import("./desk.js").then((m) => m.Desk) },
  trail: { title: "Trail", load: () => import("./trail.js").then((m) => m.TrailPage) },
  sessions: { title: "Sessions", load: () => import("./sessions.js").then((m) => m.Sessions) },
  session: { title: "Session", load: () => import("./sessions_page.js").then((m) => m.SessionPage) },
  numbers: { title: "Numbers", load: () => import("./numbers.js").then((m) => m.Numbers) },
};
const SAID_MS = 8000;
const NAV = [["#/", "Runs", ["", "run", "trail"]], ["#/sessions", "Sessions", ["sessions", "session"]],
  ["#/numbers", "Numbers", ["numbers"]]];

/** The view and what it is of, as the address says: #/run/ID. */
function place() {
  const [, name = "", id = ""] = location.hash.split("/");
  return { name: Object.hasOwn(VIEWS, name) ? name : "", id: decoded(id) };
}

/** What an address says; as it stands where it was typed wrong. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Whether a view may change what it shows: runs and their markers are all that files without a library have. */
function may(changes, name) {
  return changes === "all" || (changes === "of runs" && name === "run");
}

function usePlace() {
  const [here, move] = useState(place);
  // At once: an address that changes before an effect would run is not seen.
  useLayoutEffect(() => {
    const moved = () => move(place());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return here;
}

function useHealth() {
  const [health, set] = useState(null);
  useEffect(() => {
    const miss = (error) => set((known) => known ?? { reasons: [error.message], changes: "none" });
    const look = () => ask("/health").then(set, miss);
    look();
    const timer = setInterval(look, 30_000);
    const end = onEvent((happened) => happened.kind === "reload" && look());
    return () => { clearInterval(timer); end(); };
  }, []);
  return health;
}

function Notices({ reasons }) {
  const { complaint, said } = useStore(notices);
  // What was said of one thing is not to be read as said of the next.
  useEffect(() => {
    const timer = setTimeout(() => notices.set({ said: "" }), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const { isOpen } = useStore(connection);
  return html`
    <div class="notices">
      <div role="alert">
        ${complaint && html`<p class="notice bad">${complaint} <button type="button" class="plain" aria-label="Close this message"
          onClick=${() => notices.set({ complaint: "" })}>✕</button></p>`}
        ${!isOpen && html`<p class="notice bad">mtbsync is not running, or this page is too old:
          <code>mtbsync status --open</code> opens it again.</p>`}
      </div>
      ${reasons.length > 0 && html`<details class="notice" open=${reasons.length === 1}>
        <summary>${reasons.length === 1 ? "Something needs a look" : `${reasons.length} things need a look`}</summary>
        <ul>${reasons.map((reason) => html`<li key=${reason}>${reason}</li>`)}</ul></details>`}
      <p role="status" class="said">${said}</p>
    </div>`;
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function Page() {
  const here = usePlace();
  const health = useHealth();
  const [view, show] = useState(null);
  const isFirst = useRef(true);
  useEffect(() => {
    // Who followed a link goes on where it led to; who has just come begins at the top.
    if (view !== null && !isFirst.current) document.getElementById("main").focus({ preventScroll: true });
    if (view !== null) isFirst.current = false;
  }, [view]);
  useEffect(() => {
    let isOpen = true;
    notices.set({ complaint: "", said: "" });
    document.title = `${VIEWS[here.name].title} – mtbsync`;
    VIEWS[here.name].load().then((View) => {
      if (!isOpen) return;
      show({ View, here });
      scrollTo(0, 0);
    }, complain);
    return () => { isOpen = false; };
  }, [here]);
  return html`
    <a class="skip" href="#main" onClick=${skip}>Skip to the content</a>
    <header class="top">
      <a class="brand" href="#/">mtbsync</a>
      <nav aria-label="Pages">${NAV.map(([href, text, names]) => html`
        <a key=${href} href=${href} aria-current=${names.includes(here.name) ? "page" : null}>${text}</a>`)}</nav>
      ${health?.changes === "none" && html`
        <span class="badge" title="Start it with --allow-write to change things">read only</span>`}
    </header>
    <${Notices} reasons=${health?.reasons ?? []} />
    <main id="main" tabindex="-1">${view && health && html`<${view.View} key=${view.here.name + view.here.id} id=${view.here.id}
      isReadOnly=${!may(health.changes, view.here.name)} />`}</main>`;
}

// A file that misses the list would be opened in place of the page.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());
listen();
render(html`<${Page} />`, document.getElementById("page"));
