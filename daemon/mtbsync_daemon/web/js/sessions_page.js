/** One session: its cameras, how they lie on each other, hearing and moving them, and what goes out of it. */

import { complain, notices, say } from "./api.js";
import { Changes } from "./changes.js";
import { clock } from "./format.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState, useStore } from "./lib.js";
import { Act, attempt, goOn } from "./desk_acts.js";
import { Help, useKeys } from "./keys.js";
import { useDrop } from "./runs.js";
import { Cameras, bring, useStopped } from "./sessions_cameras.js";
import { Listening } from "./sessions_listen.js";
import { SessionOut } from "./sessions_out.js";
import { Pictures } from "./sessions_pictures.js";
import { History, Review } from "./sessions_review.js";
import { OpenSession, madeOf } from "./sessions_store.js";
import { View, Waves, fitted, zoomed } from "./sessions_waves.js";
import { STATES, isOpen, isTitle, stateOf, waitsOf } from "./sessions_words.js";

const CHANGED = 412;
const FIELDS = [["title", "Title"], ["date", "Date"], ["project", "Project"], ["location", "Location"]];
/** With a keyboard a hand moves a camera in small steps. */
const SKIP_S = 1;

const chosen = (open, act) => {
  const { selected, isReadOnly } = open.store.get();
  if (isReadOnly || open.isFixed(selected) || open.placement(selected) === undefined) return undefined;
  return act(selected);
};
const nudges = (key, does, of) => ({
  key, does, changes: true, goesOn: true,
  run: ({ run: open }) => chosen(open, (label) => open.nudge(label, of(open, label))),
});
const walk = (open, by) => {
  const labels = open.rows.map(({ label }) => label);
  const here = labels.indexOf(open.store.get().selected);
  const label = labels[Math.min(Math.max(here + by, 0), labels.length - 1)];
  open.select(label);
  say(`Camera ${label}.`);
};

/** What the keyboard does; `run` is the open session and `pair` what is heard, as the table of keys calls them. */
const keysOf = (view) => [
  { key: " ", does: "Play or pause", run: ({ pair }) => pair.toggle() },
  { key: "ArrowLeft", does: "One second back", goesOn: true, run: ({ pair }) => pair.skip(-SKIP_S) },
  { key: "ArrowRight", does: "One second on", goesOn: true, run: ({ pair }) => pair.skip(SKIP_S) },
  { key: "Shift+ArrowLeft", does: "Ten seconds back", goesOn: true, run: ({ pair }) => pair.skip(-10 * SKIP_S) },
  { key: "Shift+ArrowRight", does: "Ten seconds on", goesOn: true, run: ({ pair }) => pair.skip(10 * SKIP_S) },
  nudges(",", "Move the camera one millisecond earlier", () => -1),
  nudges(".", "Move the camera one millisecond later", () => 1),
  nudges("Shift+,", "Move it one frame earlier", (open, label) => -open.frame_ms(label)),
  nudges("Shift+.", "Move it one frame later", (open, label) => open.frame_ms(label)),
  { key: "n", does: "Next camera", run: ({ run: open }) => walk(open, 1) },
  { key: "p", does: "Camera before", run: ({ run: open }) => walk(open, -1) },
  { key: "a", does: "Approve the camera, and go on to the next that waits", changes: true,
    run: ({ run: open }) => chosen(open, (label) => open.approve(label)) },
  { key: "c", does: "Save the correction", changes: true,
    run: ({ run: open }) => chosen(open, (label) => open.correct(label)) },
  { key: "x", does: "Leave the camera as it was", changes: true,
    run: ({ run: open }) => chosen(open, (label) => open.leave(label)) },
  { key: "z", does: "Take back what was decided", changes: true,
    run: ({ run: open }) => chosen(open, (label) => open.takeBack(label)) },
  { key: "+", does: "Show less, larger", goesOn: true, run: ({ pair }) => zoomed(view, pair, 0.5) },
  { key: "-", does: "Show more, smaller", goesOn: true, run: ({ pair }) => zoomed(view, pair, 2) },
  { key: "0", does: "Show all of it", run: () => fitted(view) },
  { key: "?", does: "These keys", run: ({ ask: open }) => open("help") },
];

// --- what is heard -----------------------------------------------------------------------------------------

function Volume({ listening, label }) {
  const volumes = useStore(listening.store, (state) => state.volumes);
  return html`<label class="volume">Volume ${label} <input type="range" min="0" max="1" step="0.05"
    value=${volumes.get(label) ?? 1} onInput=${(event) => listening.setVolume(label, event.currentTarget.valueAsNumber)}
    onKeyDown=${(event) => event.key.startsWith("Arrow") && event.stopPropagation()} /></label>`;
}

/** Where the playhead stands; it moves too often to draw anything anew. */
function Clock({ listening }) {
  const text = useRef();
  useLayoutEffect(() => {
    const tell = () => { text.current.textContent = clock(listening.t_master_s, 3); };
    tell();
    listening.addEventListener("time", tell);
    return () => listening.removeEventListener("time", tell);
  }, [listening]);
  return html`<span class="playhead number" ref=${text}></span>`;
}

/** Why a camera is not heard, where it is not. */
function Silent({ open, camera }) {
  const { isReadOnly } = useStore(open.store);
  if (madeOf(open.id, camera, "audio-wav") !== null) return null;
  if (!camera.has_audio) return html`<p class="small doubt">Camera ${camera.label} recorded no sound.</p>`;
  const again = () => open.tryAgain(camera).then(() => say(`The sound of camera ${camera.label} is taken out again.`));
  return html`<p class="small doubt">The sound of camera ${camera.label} was cleared away.${" "}
    ${!isReadOnly && html`<${Act} act=${again}>Take it out again<//>`}</p>`;
}

/** Hear the chosen camera together with another. */
function Listen({ open, listening }) {
  const { session, selected } = useStore(open.store);
  const { isPlaying, isLoading, isApart, against } = useStore(listening.store);
  const { labels } = listening;
  const rows = open.rows.map(({ label }) => label);
  const set = (changed) => listening.store.set(changed);
  return html`
    <div class="listen acts" role="group" aria-label="Listen">
      <button type="button" class="main play" onClick=${() => attempt(() => listening.toggle())}>
        ${isPlaying ? "Pause" : "Play"} <kbd>Space</kbd></button>
      <${Clock} listening=${listening} />
      <label>Camera ${selected} with <select value=${rows.includes(against) ? against : session.master}
          onChange=${(event) => set({ against: event.currentTarget.value })}>
        ${rows.map((label) => html`<option key=${label} value=${label}>
          ${label === selected ? "nothing else" : `camera ${label}`}</option>`)}</select></label>
      <div class="acts" role="group" aria-label="How they are heard">
        <button type="button" aria-pressed=${!isApart} onClick=${() => set({ isApart: false })}>Mixed</button>
        <button type="button" aria-pressed=${isApart} onClick=${() => set({ isApart: true })}>Left and right</button>
      </div>
      ${labels.map((label) => html`<${Volume} key=${label} listening=${listening} label=${label} />`)}
      <p role="status" class="small quiet">${isLoading ? "Loading the sound …" : isPlaying ? "Playing" : ""}</p>
      ${labels.map((label) => html`<${Silent} key=${label} open=${open} camera=${open.camera(label)} />`)}
    </div>`;
}

// --- the parts of the page ---------------------------------------------------------------------------------

const LINING = "The cameras are being lined up.";
const LINED = "The cameras are lined up.";
const canBeLinedUp = ({ cameras }) => cameras.filter(({ status }) => status === "ready").length > 1;

/** Have the cameras lined up, once more if they were. */
function LineUp({ open }) {
  const { session, isReadOnly } = useStore(open.store);
  const { lined_up_at } = session;
  useEffect(() => { if (notices.get().said === LINING) say(LINED); }, [lined_up_at]);
  if (isReadOnly || !canBeLinedUp(session)) return null;
  const act = async () => {
    await open.act("POST", "/line-up");
    say(open.store.get().session.lined_up_at === lined_up_at ? LINING : LINED);
  };
  return html`<${Act} act=${act} isOff=${session.status === "syncing"}>
    ${session.master === null ? "Line up" : "Line up again"}<//>`;
}

/** The cameras as they lie, with their keys; `asked` is what the person asked to see besides. */
function Together({ open, asked, askFor }) {
  const { isReadOnly } = useStore(open.store);
  const listening = useMemo(() => new Listening(open), [open]);
  const view = useMemo(() => new View(), [open]);
  useEffect(() => () => listening.close(), [listening]);
  const entries = useMemo(() => keysOf(view).filter(({ changes }) => !(changes && isReadOnly)), [view, isReadOnly]);
  useKeys({ run: open, pair: listening, ask: askFor }, entries);
  return html`
    <${Listen} open=${open} listening=${listening} />
    <${Waves} open=${open} listening=${listening} view=${view} />
    <${Pictures} open=${open} listening=${listening} />
    <${Review} open=${open} />
    ${asked === "help" && html`<${Help} entries=${entries} onClose=${() => askFor(null)} />`}`;
}

function Lined({ open }) {
  const { session, isReadOnly } = useStore(open.store);
  const [asked, askFor] = useState(null);
  const isLined = session.master !== null;
  const sure = session.placements.filter((lies) => isOpen(lies) && lies.trust === "looks-good");
  return html`
    <section class="section" aria-labelledby="lined-title">
      <div class="bar"><h2 id="lined-title">How they lie on each other</h2>
        <div class="acts">
          ${!isReadOnly && sure.length > 1 && html`
            <${Act} act=${() => open.approveAll()}>Approve ${sure.length} that look good<//>`}
          <${LineUp} open=${open} />
          ${isLined && html`<button type="button" onClick=${() => askFor("help")}>Keys <kbd>?</kbd></button>`}
        </div></div>
      ${isLined ? html`<${Together} open=${open} asked=${asked} askFor=${askFor} />`
        : html`<p class="quiet">They are ${session.status === "syncing" ? "being lined up" : "not lined up yet"}.</p>`}
    </section>`;
}

const textsOf = ({ title, date, project, location: where, notes, wanted_master }) => (
  { title, date, project, location: where, notes, master: wanted_master ?? "" });

/** Whether a person means another master, where that changes what was decided. */
function isMeant(open, master, { wanted_master }) {
  const { session } = open.store.get();
  if (master === (wanted_master ?? "") || master === session.master || session.placements.every(isOpen)) return true;
  return confirm(`Offsets are told anew from ${master ? `camera ${master}` : "the camera that sounds best"}. `
    + "What you corrected is carried over; what you approved waits for you again.");
}

/** The cameras that the others can be laid on, and the one that a person chose, whatever became of it. */
const mastersOf = ({ cameras, wanted_master }) => (
  cameras.filter(({ status, label }) => status !== "failed" || label === wanted_master));

/** Its texts and its master; what another window has changed meanwhile is said, and nothing typed is lost. */
function About({ open }) {
  const { session } = useStore(open.store);
  // As it was when the person began to type.
  const base = useRef(session);
  const [clash, tell] = useState([]);
  // Saved once more before the first is, it is of what that leaves.
  const saves = useMemo(() => new Changes(() => {}), []);
  const save = async (typed) => {
    const before = textsOf(base.current);
    const names = Object.keys(typed).filter((name) => typed[name] !== before[name]);
    const changed = Object.fromEntries(names.map((name) => [name, typed[name]]));
    try {
      await open.change(changed, base.current.version);
      base.current = open.store.get().session;
      tell([]);
      say("Saved.");
    } catch (error) {
      if (error.status !== CHANGED) throw error;
      base.current = open.store.get().session;
      const there = textsOf(base.current);
      const unlike = names.filter((name) => ![typed[name], before[name]].includes(there[name]));
      if (unlike.length === 0) await save({ ...there, ...changed });
      else tell(unlike.map((name) => ({ name, there: there[name], here: typed[name] })));
    }
  };
  const submit = (event) => {
    event.preventDefault();
    const typed = Object.fromEntries(new FormData(event.currentTarget));
    if (isTitle(typed.title) && isMeant(open, typed.master, base.current)) attempt(() => saves.make(() => save(typed)));
  };
  return html`
    <form class="session-form" onSubmit=${submit}>
      ${FIELDS.map(([name, text]) => html`<div class="field" key=${name}><label for=${`session-${name}`}>${text}</label>
        <input id=${`session-${name}`} name=${name} type=${name === "date" ? "date" : "text"} maxlength="200"
          required=${name === "title" || name === "date"} defaultValue=${session[name]} autocomplete="off" /></div>`)}
      <div class="field"><label for="session-master">The others are laid on</label>
        <select id="session-master" name="master" defaultValue=${session.wanted_master ?? ""}>
          <option value="" selected=${session.wanted_master === null}>whichever sounds best</option>
          ${mastersOf(session).map(({ label }) => html`<option key=${label} value=${label}
            selected=${session.wanted_master === label}>camera ${label}</option>`)}</select></div>
      <div class="field wide"><label for="session-notes">Notes</label>
        <textarea id="session-notes" name="notes" rows="2" defaultValue=${session.notes}></textarea></div>
      ${clash.length > 0 && html`<div class="notice wide" role="alert">
        <p>Another window has changed this session meanwhile. Save again, and yours counts.</p>
        <ul>${clash.map(({ name, there, here }) => html`
          <li key=${name}>${name}: “${there}” there, “${here}” here</li>`)}</ul></div>`}
      <p class="acts wide"><button class="main">Save</button></p>
    </form>`;
}

function Later({ title, children }) {
  const [isShown, show] = useState(false);
  return html`<details class="section" onToggle=${(event) => show(event.currentTarget.open)}>
    <summary><h2>${title}</h2></summary>${isShown && children}</details>`;
}

function Head({ open }) {
  const { session } = useStore(open.store);
  const stopped = useStopped(session);
  const [tone, words] = STATES[stateOf(session, stopped)];
  // Where there are no cameras yet, their part of the page says what to do.
  const waits = session.cameras.length > 0 ? waitsOf(session, stopped) : [];
  return html`
    <div class="title"><p class="small"><a href="#/sessions">All sessions</a></p>
      <h1>${session.title}</h1>
      <p><span role="status" class=${`status ${tone}`}>${words}</span>${" "}
        <span class="quiet">${[session.date, session.project, session.location].filter(Boolean).join(" · ")}</span>
        ${session.status === "syncing" && html` <progress aria-label="Being lined up"></progress>`}</p>
      ${session.notes && html`<p class="small quiet notes">${session.notes}</p>`}
      ${waits.length > 0 && html`<ul class="hint waits-list">
        ${waits.map((text) => html`<li key=${text}>${text}</li>`)}</ul>`}
    </div>`;
}

function Opened({ open }) {
  const { session, isReadOnly } = useStore(open.store);
  const isOver = useDrop(isReadOnly, (files) => attempt(() => bring(open, files)));
  useEffect(() => { document.title = `${session.title} – mtbsync`; }, [session.title]);
  const remove = async () => {
    if (!confirm(`Forget the session ${session.title}? Its footage stays where it is.`)) return;
    await goOn(() => open.forget().then(() => "#/sessions"));
  };
  return html`
    <div class="session">
      <${Head} open=${open} />
      ${(session.master !== null || canBeLinedUp(session)) && html`<${Lined} open=${open} />`}
      <${Cameras} open=${open} />
      ${session.master !== null && html`<${SessionOut} open=${open} />`}
      ${!isReadOnly && html`<${Later} title="About this session"><${About} open=${open} />
        <p class="acts"><${Act} act=${remove}>Forget this session …<//></p><//>`}
      <${Later} title="What was found and decided"><${History} open=${open} /><//>
      ${isOver && html`<div class="runs-drop" aria-hidden="true"><p>Drop what each camera recorded</p></div>`}
    </div>`;
}

/** The page of the session with that id. */
export function SessionPage({ id, isReadOnly }) {
  const open = useMemo(() => new OpenSession(id, isReadOnly), [id]);
  useEffect(() => {
    open.reload().catch(complain);
    return () => open.close();
  }, [open]);
  useEffect(() => open.store.set({ isReadOnly }), [isReadOnly]);
  const isThere = useStore(open.store, ({ session }) => session !== null);
  const isMissing = useStore(open.store, (state) => state.isMissing);
  if (isMissing) {
    return html`<h1>${isThere ? "This session was forgotten in another window" : "There is no such session"}</h1>
      <p class="hint"><a href="#/sessions">All sessions</a></p>`;
  }
  if (!isThere) return html`<p class="quiet">Loading …</p>`;
  return html`<${Opened} open=${open} />`;
}
