/** The list of all that the library holds, what waits for a person first, and where footage comes in. */

import { ask, complain, part, say } from "./api.js";
import { html, debounced, useEffect, useLayoutEffect, useMemo, useRef, useState, useStore } from "./lib.js";
import { Card, KINDS, TrailOptions, stageOf } from "./runs_card.js";
import { AddFolder, Watched } from "./runs_folders.js";
import { Library, MOST_QUEUED } from "./runs_store.js";
import { ACCEPTED, Sending, uploads } from "./runs_uploads.js";

const TYPING_MS = 250;
const NEAR = "600px";
const SHOWN = [["waiting", "Waits for you"], ["all", "All"], ["runs", "Runs"], ["references", "References"]];
// Whoever comes back from a run finds the list as they left it.
const library = new Library();
let scrolled_px = 0;

function add(files) {
  const problem = uploads.add(files);
  if (problem) say(problem);
}

/** Have `add` take files that are dropped anywhere on the page. */
export function useDrop(isOff, add) {
  const [isOver, be] = useState(false);
  // As soon as it is drawn: what is dropped at once counts.
  useLayoutEffect(() => {
    if (isOff) return undefined;
    const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
    const over = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      be(true);
    };
    const leave = (event) => event.relatedTarget === null && be(false);
    const drop = (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      be(false);
      const items = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
      if (items.some((item) => item.webkitGetAsEntry?.()?.isDirectory)) {
        say("A folder is not copied: use Add a folder, and its rides are used where they are.");
        return;
      }
      add([...event.dataTransfer.files]);
    };
    const heard = { dragenter: over, dragover: over, dragleave: leave, drop };
    for (const [name, listener] of Object.entries(heard)) addEventListener(name, listener);
    return () => { for (const [name, listener] of Object.entries(heard)) removeEventListener(name, listener); };
  }, [isOff]);
  return isOver;
}

function AddFootage({ onFolder }) {
  const input = useRef();
  // Of the field itself: this page may have been left while the files were chosen.
  const chosen = ({ target }) => {
    add([...target.files]);
    target.value = "";
  };
  return html`
    <p class="acts">
      <button type="button" class="main" onClick=${() => input.current.click()}>Add footage …</button>
      <button type="button" onClick=${onFolder}>Add a folder …</button></p>
    <input type="file" multiple hidden accept=${ACCEPTED} ref=${input} onChange=${chosen} aria-label="Footage" />
    <p class="quiet small runs-how">Videos can be dropped anywhere on this page: they are copied into mtbsync’s own
      folder. For a lot of footage add the folder that it lies in; then nothing is copied.</p>`;
}

/** A job that is being done; `name` is what it is about. */
function Doing({ job, name, isReadOnly }) {
  const about = `${KINDS[job.kind]} ${name}`;
  const cancel = () => ask(`/jobs/${part(job.id)}/cancel`, { method: "POST" })
    .then(() => say(`Stopped: ${about}.`), complain);
  return html`
    <li class="now">
      <progress value=${job.progress?.done ?? undefined} aria-label=${about}></progress>
      <span>${about} <span class="quiet">${stageOf(job)}</span></span>
      ${!isReadOnly && html`<button type="button" aria-label=${`Cancel: ${about}`} onClick=${cancel}>Cancel</button>`}
    </li>`;
}

/** What is being done now. */
function Now({ isReadOnly }) {
  const jobs = useStore(library.store, ({ running }) => running);
  const recordings = useStore(library.store, (state) => state.recordings);
  const nQueued = useStore(library.store, (state) => state.nQueued);
  const isSending = useStore(uploads.store, ({ items }) => items.length > 0);
  if (jobs.size === 0 && nQueued === 0 && !isSending) return null;
  return html`
    <section class="section" aria-labelledby="now-title"><h2 id="now-title">Being done now</h2>
      <ul><${Sending} />${[...jobs.values()].map((job) => html`<${Doing} key=${job.id} job=${job}
        name=${recordings.get(job.recording)?.name ?? "new footage"} isReadOnly=${isReadOnly} />`)}</ul>
      ${nQueued > 0 && html`<p class="quiet small">${nQueued === MOST_QUEUED ? `${nQueued} or more` : nQueued} more
        ${nQueued === 1 ? "waits for its turn" : "wait for their turn"}.</p>`}
    </section>`;
}

function Filters() {
  const filter = useStore(library.store, (state) => state.filter);
  const trails = useStore(library.store, (state) => state.trails);
  const nWaiting = useStore(library.store, ({ waiting }) => waiting.length);
  // What is not sought yet; null where there is no more of that.
  const [typed, type] = useState(null);
  const seek = useMemo(() => debounced((q) => {
    library.filter({ q });
    type(null);
  }, TYPING_MS), []);
  const typing = (event) => {
    type(event.target.value);
    seek(event.target.value);
  };
  const choose = (event) => library.filter({ trail: event.target.value });
  return html`
    <div class="runs-filters" role="search">
      <div class="acts" role="group" aria-label="Which">${SHOWN.map(([show, text]) => html`
        <button type="button" key=${show} class="chip" aria-pressed=${filter.show === show}
          onClick=${() => library.filter({ show })}>${text}
          ${show === "waiting" && nWaiting > 0 && html` <strong>${nWaiting}</strong>`}</button>`)}</div>
      <label class="runs-search"><span class="visually-hidden">Part of the name</span>
        <input type="search" placeholder="Part of the name" value=${typed ?? filter.q} onInput=${typing} /></label>
      ${trails.size > 0 && html`<label><span class="visually-hidden">On which trail</span>
        <select value=${filter.trail} onChange=${choose}>
          <option value="">Every trail</option><${TrailOptions} trails=${trails} /></select></label>`}
    </div>`;
}

/** What to do next, where there is little yet. */
function NextStep({ onFolder }) {
  const { folders, trails, listed, filter } = useStore(library.store);
  if (folders === null || listed === null || !isAll(filter)) return null;
  if (listed.length === 0 && folders.length === 0) {
    return html`<div class="hint runs-next"><h2>Begin with your footage</h2>
      <p>Add the folder that your rides land in, and every new one turns up here by itself. To try mtbsync with a ride
      or two, drop them onto this page.</p>
      <p><button type="button" class="main" onClick=${onFolder}>Add a folder …</button></p></div>`;
  }
  if (listed.length === 0) {
    return html`<div class="hint runs-next"><h2>No rides yet</h2>
      <p>Copy a ride to ${folders.map(({ path }) => html`<code key=${path}>${path}</code> `)} and it turns up here once
        it has been looked at. Or drop one onto this page.</p></div>`;
  }
  return trails.size === 0 && html`<div class="hint runs-next"><h2>Which ride is the reference?</h2>
    <p>There is no trail yet. Choose the ride that your markers are on, or are to be on: under
      <em>What to do with it</em>, make it the reference of a new trail, and put markers on it on the trail's page.
      Every other run of that trail then gets them. If they are in a file,${" "}
      <code>mtbsync trail add REF.MP4 --markers markers.csv</code> takes them along.</p></div>`;
}

const isAll = ({ show, q, trail }) => show === "all" && !q && !trail;

function Nothing() {
  const { filter, listed } = useStore(library.store);
  if (listed === null || listed.length || isAll(filter)) return null;
  const isCalm = filter.show === "waiting" && !filter.q && !filter.trail;
  return html`<p class="hint">${isCalm ? "Nothing waits for you." : "Nothing here is like that."}
    ${" "}<button type="button" onClick=${() => library.showAll()}>Show all</button></p>`;
}

/** What waits; while a person has the focus in a form, what waited before: a card that goes elsewhere is drawn anew. */
function useWaiting() {
  const waiting = useStore(library.store, (state) => state.waiting);
  const shown = useRef(waiting);
  const [isTyping, be] = useState(false);
  useEffect(() => {
    const look = ({ target }) => be(target.closest("li.run form") !== null);
    const leave = ({ relatedTarget }) => relatedTarget === null && document.hasFocus() && be(false);
    addEventListener("focusin", look);
    addEventListener("focusout", leave);
    return () => {
      removeEventListener("focusin", look);
      removeEventListener("focusout", leave);
    };
  }, []);
  if (!isTyping) shown.current = waiting;
  return shown.current;
}

function List({ isReadOnly }) {
  const filter = useStore(library.store, (state) => state.filter);
  const listed = useStore(library.store, (state) => state.listed);
  const waiting = useWaiting();
  const card = (id) => html`<${Card} key=${id} id=${id} library=${library} isReadOnly=${isReadOnly} />`;
  if (listed === null) return html`<p class="quiet">Loading …</p>`;
  if (!isAll(filter)) return html`<ul class="runs">${listed.map(card)}</ul>`;
  const first = new Set(waiting);
  const rest = listed.filter((id) => !first.has(id));
  return html`
    ${waiting.length > 0 && html`<section aria-labelledby="waiting-title">
      <h2 id="waiting-title" class="runs-head">Waits for you</h2>
      <ul class="runs">${waiting.map(card)}</ul></section>`}
    ${rest.length > 0 && html`<section aria-labelledby="rest-title">
      <h2 id="rest-title" class=${waiting.length ? "runs-head" : "visually-hidden"}>All others</h2>
      <ul class="runs">${rest.map(card)}</ul></section>`}`;
}

/** Loads the next piece as the end of the list comes near, or is pressed. */
function More() {
  const isMore = useStore(library.store, ({ listed, isAll }) => listed !== null && !isAll);
  const listed = useStore(library.store, (state) => state.listed);
  const end = useRef();
  const load = () => library.more().catch(complain);
  useEffect(() => {
    if (!isMore) return undefined;
    // A new one for each list: it tells at once whether its end is near as well.
    const seen = new IntersectionObserver(([entry]) => entry.isIntersecting && load(), { rootMargin: NEAR });
    seen.observe(end.current);
    return () => seen.disconnect();
  }, [isMore, listed]);
  return isMore && html`<p class="runs-more"><button type="button" ref=${end} onClick=${load}>Show more</button></p>`;
}

function RefusedFiles() {
  const refused = useStore(library.store, (state) => state.refused);
  if (refused.length === 0) return null;
  return html`
    <details class="section">
      <summary><h2>Files that are no recordings</h2> <span class="quiet">${refused.length}</span></summary>
      <ul class="refused">${refused.map(({ path, reason }) => html`
        <li key=${path}>${reason} <code class="quiet small">${path}</code></li>`)}</ul>
    </details>`;
}

/** The page of all runs. */
export function Runs({ isReadOnly }) {
  const [isChoosing, choose] = useState(false);
  const isOver = useDrop(isReadOnly || isChoosing, add);
  const listedOnce = useStore(library.store, ({ listed }) => listed !== null);
  useEffect(() => {
    library.open();
    return () => library.close();
  }, []);
  useLayoutEffect(() => {
    if (listedOnce) scrollTo(0, scrolled_px);
  }, [listedOnce]);
  useEffect(() => {
    const note = () => { scrolled_px = scrollY; };
    addEventListener("scroll", note, { passive: true });
    return () => removeEventListener("scroll", note);
  }, []);
  return html`
    <div class="runs-page">
      <div class="runs-top"><h1 id="runs-title" tabindex="-1">Runs</h1>
        ${!isReadOnly && html`<${AddFootage} onFolder=${() => choose(true)} />`}</div>
      <${Now} isReadOnly=${isReadOnly} />
      <${Filters} />
      ${!isReadOnly && html`<${NextStep} onFolder=${() => choose(true)} />`}
      <${List} isReadOnly=${isReadOnly} />
      <${Nothing} />
      <${More} />
      <${Watched} library=${library} isReadOnly=${isReadOnly} />
      <${RefusedFiles} />
      ${isChoosing && html`<${AddFolder} library=${library} onClose=${() => choose(false)} />`}
      ${isOver && html`<div class="runs-drop" aria-hidden="true">
        <p>Drop videos to copy them into mtbsync’s own folder</p></div>`}
    </div>`;
}
