/** All sessions: how far each is, and what waits for a person. */

import { all, ask, complain, onEvent, part } from "./api.js";
import { Loads } from "./changes.js";
import { count, percent } from "./format.js";
import { Store, debounced, html, useEffect, useMemo, useOnce, useState, useStore } from "./lib.js";
import { attempt, goOn } from "./desk_acts.js";
import { Thumbnail, useStopped } from "./sessions_cameras.js";
import { STATES, isTitle, stateOf, waitsOf } from "./sessions_words.js";

const PAUSE_MS = 150;
const N_PICTURES = 4;

/** The list, as it is now; `store` has {sessions (null before they are there), progress (of jobs, by id)}. */
class AllSessions {
  store = new Store({ sessions: null, progress: new Map() });

  #loads = new Loads(async () => this.store.set({ sessions: await all("/sessions", "sessions") }));
  #soon = debounced(() => this.#loads.now().catch(complain), PAUSE_MS);
  #end = null;

  open() {
    this.#loads.now().catch(complain);
    this.#end = onEvent(({ kind, id, stage, done }) => {
      if (kind === "session" || kind === "reload") this.#soon();
      if (kind !== "progress") return;
      this.store.set({ progress: new Map(this.store.get().progress).set(id, { stage, done }) });
    });
  }

  close() {
    this.#end();
    this.#soon.cancel();
  }
}

/** Today by this computer's clock, as a field for dates takes it. */
function today() {
  const now = new Date();
  const two = (n) => String(n).padStart(2, "0");
  return `${now.getFullYear()}-${two(now.getMonth() + 1)}-${two(now.getDate())}`;
}

function New({ onClose }) {
  const make = useOnce((body) => attempt(() => goOn(async () => {
    const made = await ask("/sessions", { method: "POST", body });
    return `#/session/${part(made.id)}`;
  })));
  const begin = (event) => {
    event.preventDefault();
    const { title, date, project, location: where } = Object.fromEntries(new FormData(event.currentTarget));
    if (isTitle(title)) make({ title, project, location: where, date: date || null });
  };
  return html`
    <section class="section" aria-labelledby="new-title">
    <h2 id="new-title">New session</h2>
    <form class="session-form" onSubmit=${begin}>
      <div class="field"><label for="new-session-title">Title</label>
        <input id="new-session-title" name="title" required maxlength="200" autofocus autocomplete="off" /></div>
      <div class="field"><label for="new-session-date">Date</label>
        <input id="new-session-date" name="date" type="date" defaultValue=${today()} /></div>
      <div class="field"><label for="new-session-project">Project</label>
        <input id="new-session-project" name="project" maxlength="200" autocomplete="off" /></div>
      <div class="field"><label for="new-session-location">Location</label>
        <input id="new-session-location" name="location" maxlength="200" autocomplete="off" /></div>
      <p class="acts wide"><button class="main">Begin it</button>
        <button type="button" onClick=${onClose}>Cancel</button></p>
    </form></section>`;
}

/** How far a session's cameras are that are being taken in, as one share; null where nobody knows. */
function shareOf({ cameras }, progress) {
  const busy = cameras.filter(({ status }) => status === "ingesting");
  const shares = busy.map(({ job }) => progress.get(job)?.done ?? null);
  if (shares.length === 0 || shares.includes(null)) return null;
  return shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

function Card({ session, progress }) {
  const { cameras, title } = session;
  const stopped = useStopped(session);
  const status = stateOf(session, stopped);
  const [tone, words] = STATES[status];
  const waits = waitsOf(session, stopped);
  const isWaiting = status === "needs-review" || status === "draft";
  const isBusy = status === "ingesting" || status === "syncing";
  const share = shareOf(session, progress);
  return html`
    <li class=${`session-card${isWaiting ? " run-waits" : ""}`}>
      <div class="session-about">
        <h2><a href=${`#/session/${part(session.id)}`}>${title}</a></h2>
        <p class="quiet small">${[session.date, session.project, session.location].filter(Boolean).join(" · ")}</p>
        <p><span class=${tone}>${words}</span>${" "}
          ${cameras.length > 0 && html`<span class="quiet small">${count(cameras.length, "camera")}</span>`}
          ${isBusy && html` <progress value=${share ?? undefined} aria-label=${`${title}: ${words}`}></progress>
            <span class="quiet small number">${share === null ? "" : percent(share)}</span>`}</p>
        ${waits.length > 0 && html`<ul class="small">
          ${waits.map((text) => html`<li key=${text}>${text}</li>`)}</ul>`}
      </div>
      <ul class="session-pictures" aria-label="Cameras">${cameras.slice(0, N_PICTURES).map((camera) => html`
        <li key=${camera.label}><${Thumbnail} session=${session} camera=${camera} />
          <span class="small" title=${camera.label}>${camera.label}</span></li>`)}
        ${cameras.length > N_PICTURES && html`
          <li class="small quiet">and ${cameras.length - N_PICTURES} more</li>`}</ul>
    </li>`;
}

/** The page of all sessions. */
export function Sessions({ isReadOnly }) {
  const list = useMemo(() => new AllSessions(), []);
  useEffect(() => {
    list.open();
    return () => list.close();
  }, []);
  const { sessions, progress } = useStore(list.store);
  const [isBeginning, begin] = useState(false);
  return html`
    <div class="sessions">
      <div class="bar"><h1>Sessions</h1>
        ${!isReadOnly && !isBeginning && html`
          <button type="button" class="main" onClick=${() => begin(true)}>New session …</button>`}</div>
      ${isBeginning && html`<${New} onClose=${() => begin(false)} />`}
      ${sessions === null && html`<p class="quiet">Loading …</p>`}
      ${sessions?.length === 0 && html`<div class="hint"><h2>Several cameras, one event</h2>
        <p>Begin a session, and drop what each camera recorded onto its page. mtbsync lines the cameras up by their
          sound; you listen, approve or nudge, and take the timeline along into your editor.</p></div>`}
      <ul class="session-list">${sessions?.map((session) => html`
        <${Card} key=${session.id} session=${session} progress=${progress} />`)}</ul>
    </div>`;
}
