/** What the keyboard does on the desk, in one table, and the same as buttons. */

import { PLAYER_KEYS } from "./desk_players.js";
import { Act, addHere, attempt, decideSelected, nudge, samePlace, tick, walk } from "./desk_acts.js";
import { say } from "./api.js";
import { clock } from "./format.js";
import { html, useLayoutEffect, useMemo, useRef, useState, useStore } from "./lib.js";

const OFF = "keys-are-off";

const decides = (key, word, state) => ({
  key, does: `${word} the marker, and go on to the next to review`, changes: true,
  run: ({ run, pair }) => decideSelected(run, pair, state),
});
const nudges = (key, way, nFrames) => ({
  key, does: `Move the marker ${way}`, changes: true, goesOn: true, onTrail: true,
  run: ({ run, pair }) => nudge(run, pair, nFrames),
});

/**
 * Keys, `key` being KeyboardEvent.key in small letters, with "Shift+" in front where that is held; `run` gets
 * {run, pair, ask}, where `ask(name)` opens a dialog. Those that change something are not there where nothing may be
 * changed; those with `goesOn` are repeated while they are held; those `onTrail` work on a trail's page as well.
 */
const MARKER_KEYS = [
  { key: "n", does: "Next marker of the list", goesOn: true, onTrail: true,
    run: ({ run, pair }) => walk(run, pair, 1) },
  { key: "p", does: "Marker before", goesOn: true, onTrail: true, run: ({ run, pair }) => walk(run, pair, -1) },
  decides("a", "Accept", "accepted"),
  decides("r", "Reject", "rejected"),
  nudges(",", "one frame back", -1),
  nudges(".", "one frame on", 1),
  nudges("Shift+,", "ten frames back", -10),
  nudges("Shift+.", "ten frames on", 10),
  { key: "x", does: "Choose the marker for an act on several", changes: true,
    run: ({ run }) => tick(run, run.store.get().selected) },
  { key: "m", does: "New marker here, where it stands", changes: true, onTrail: true,
    run: ({ run, pair }) => addHere(run, pair) },
  { key: "Shift+m", does: "New marker on the trail, for all its runs", changes: true, run: ({ ask }) => ask("trail") },
  { key: "s", does: "Both videos show the same place", changes: true, run: ({ run, pair }) => samePlace(run, pair) },
  { key: "z", does: "Undo", changes: true, onTrail: true, run: ({ run }) => run.undo() },
  { key: "Shift+z", does: "Redo", changes: true, onTrail: true, run: ({ run }) => run.redo() },
  { key: "?", does: "These keys", onTrail: true, run: ({ ask }) => ask("help") },
];

/** Those keys that do something here. */
function keysFor(isReadOnly, isTrail) {
  const players = PLAYER_KEYS.map((entry) => ({ goesOn: entry.key !== " ", onTrail: true, ...entry }));
  const isThere = ({ changes, onTrail }) => !(changes && isReadOnly) && (onTrail || !isTrail);
  return [...players, ...MARKER_KEYS].filter(isThere);
}

/** How the table names a key that was pressed. */
function nameOf(event) {
  // Which sign these two give with Shift differs from keyboard to keyboard.
  const sign = { Comma: ",", Period: "." }[event.code];
  // Where letters are not Latin the key says which it would be.
  const letter = /^Key([A-Z])$/.exec(event.code)?.[1];
  if (event.shiftKey && sign !== undefined && ![",", "."].includes(event.key)) return `Shift+${sign}`;
  const typed = event.key.length === 1 && event.key > "~" ? letter ?? sign ?? event.key : event.key;
  const key = typed.length === 1 ? typed.toLowerCase() : typed;
  // Signs need Shift on some keyboards and not on others.
  const isSign = key.length === 1 && key.toUpperCase() === key && key !== " ";
  return event.shiftKey && !isSign ? `Shift+${key}` : key;
}

/** Whether what has the focus needs the key itself. */
function isTaken(target, key) {
  if (target.closest("dialog, textarea, select, [contenteditable]")) return true;
  if (target.matches("input")) return !["checkbox", "radio", "range"].includes(target.type) || key === " ";
  return key === " " && target.closest("button, a, summary") !== null;
}

/** Whether single keys do anything on this computer; people who speak to it may not want them. */
const keysAreOn = () => localStorage.getItem(OFF) === null;

/** Have `entries` done when their keys are pressed, with what is `given`. */
export function useKeys(given, entries) {
  // As soon as it is drawn: what is pressed at once counts.
  useLayoutEffect(() => {
    const keys = new Map(entries.map((entry) => [entry.key, entry]));
    const pressed = (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
      const name = nameOf(event);
      const entry = keys.get(name);
      if (entry === undefined || isTaken(event.target, event.key) || (name !== "?" && !keysAreOn())) return;
      event.preventDefault();
      if (!event.repeat || entry.goesOn) attempt(() => entry.run(given));
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }, [given.run, given.pair, entries]);
}

const KEY_WORDS = { " ": "Space", ArrowLeft: "←", ArrowRight: "→" };
const wordOf = (part) => KEY_WORDS[part] ?? (part.length === 1 ? part.toUpperCase() : part);
const partsOf = (key) => key.split(/(?<=.)\+/).map(wordOf);

/** A dialog that is open from the start. */
export function Dialog({ label, onClose, children }) {
  const dialog = useRef();
  useLayoutEffect(() => dialog.current.showModal(), []);
  return html`<dialog ref=${dialog} aria-label=${label} onClose=${onClose}>${children}</dialog>`;
}

/** Close the dialog that the event is in. */
export const close = (event) => event.currentTarget.closest("dialog").close();

/** What the keys do, and whether they do anything. */
export function Help({ entries, onClose }) {
  const [isOn, set] = useState(keysAreOn());
  const turn = (event) => {
    set(event.currentTarget.checked);
    if (event.currentTarget.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  };
  return html`
    <${Dialog} label="Keys" onClose=${onClose}>
      <h2 tabindex="-1" autofocus>Keys</h2>
      <p class="quiet small">They do nothing while you type in a field.</p>
      <dl class="keys">${entries.map(({ key, does }) => html`
        <div key=${key}><dt>${partsOf(key).map((name) => html`<kbd key=${name}>${name}</kbd> `)}</dt>
          <dd>${does}</dd></div>`)}</dl>
      <p class="acts"><label><input type="checkbox" checked=${isOn} onChange=${turn} /> Use these keys</label></p>
      <button type="button" class="main" onClick=${close}>Close</button>
    <//>`;
}

/** Asks for the name of a marker that every run of the trail is to have. */
function OnTrail({ run, pair, onClose }) {
  const [t_s] = useState(pair.t_ref_s);
  const add = (event) => {
    event.preventDefault();
    const name = event.currentTarget.elements.name.value.trim();
    if (name === "") return;
    close(event);
    attempt(async () => {
      await run.addTrailMarker({ name, t_s });
      say(`${name} is on the trail at ${clock(t_s, 2)} now; all its runs get it.`);
    });
  };
  return html`
    <${Dialog} label="New marker on the trail" onClose=${onClose}>
      <form onSubmit=${add}>
        <h2>New marker on the trail</h2>
        <p class="quiet small">At ${clock(t_s, 2)} of the reference. Every run of the trail gets it.</p>
        <div class="field"><label for="trail-marker-name">Name</label>
          <input id="trail-marker-name" name="name" required maxlength="200" autofocus autocomplete="off" /></div>
        <p class="acts"><button type="submit" class="main">Add it</button>
          <button type="button" onClick=${close}>Leave it</button></p>
      </form>
    <//>`;
}

/** The bar with what a person can do, and the keys for it; `isTrail` on a trail's page. */
export function Keys({ run, pair, isTrail = false }) {
  const { edits, trail, mapDoc, isReadOnly } = useStore(run.store);
  const [asked, ask] = useState(null);
  const entries = useMemo(() => keysFor(isReadOnly, isTrail), [isReadOnly, isTrail]);
  const given = { run, pair, ask: (name) => ask(name === "trail" && run.store.get().trail === null ? null : name) };
  useKeys(given, entries);
  const [last, undone] = [edits.find((edit) => !edit.is_undone), edits.findLast((edit) => edit.is_undone)];
  const done = () => ask(null);
  return html`
    <div class="acts keybar" role="group" aria-label="Markers and undoing">
      ${!isReadOnly && html`
        <${Act} act=${() => addHere(run, pair)}>New marker <kbd>M</kbd><//>
        ${trail && !isTrail && html`
          <button type="button" onClick=${() => ask("trail")}>On the trail <kbd>Shift</kbd> <kbd>M</kbd></button>`}
        ${mapDoc && html`<${Act} act=${() => samePlace(run, pair)}>Same place <kbd>S</kbd><//>`}
        <${Act} isOff=${!last} title=${last?.what} act=${() => run.undo()}>
          Undo${last && html`<span class="quiet what">: ${last.what}</span>`} <kbd>Z</kbd><//>
        <${Act} isOff=${!undone} title=${undone?.what} act=${() => run.redo()}>
          Redo${undone && html`<span class="quiet what">: ${undone.what}</span>`}<//>`}
      <button type="button" onClick=${() => ask("help")}>Keys <kbd>?</kbd></button>
      ${asked === "help" && html`<${Help} entries=${entries} onClose=${done} />`}
      ${asked === "trail" && html`<${OnTrail} run=${run} pair=${pair} onClose=${done} />`}
    </div>`;
}
