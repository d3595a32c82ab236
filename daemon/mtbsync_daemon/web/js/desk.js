/** The desk: a run beside its trail's reference, its markers, its pictures, its files. */

import { complain, part } from "./api.js";
import { Players } from "./desk_players.js";
import { OpenRun } from "./desk_store.js";
import { Keys } from "./keys.js";
import { List } from "./desk_list.js";
import { Out } from "./desk_out.js";
import { Strip } from "./desk_strip.js";
import { Verdict } from "./desk_verdict.js";
import { clock, count, when } from "./format.js";
import { html, useEffect, useMemo, useState, useStore } from "./lib.js";

/** A part that is loaded once a person opens it. */
function Later({ title, id, load, ...given }) {
  const [View, show] = useState(null);
  const [isOpen, open] = useState(false);
  useEffect(() => {
    if (isOpen && View === null) load().then((made) => show(() => made), complain);
  }, [isOpen]);
  return html`
    <details class="section" id=${id} onToggle=${(event) => open(event.currentTarget.open)}>
      <summary><h2>${title}</h2></summary>
      ${isOpen && View && html`<${View} ...${given} />`}
    </details>`;
}

function Title({ recording, trail }) {
  return html`
    <div class="title">
      <h1>${recording.name}</h1>
      <p class="quiet">${when(recording)} · ${clock(recording.duration_s)} min
        ${recording.files.length > 1 && ` · ${count(recording.files.length, "file")}`}
        ${trail && html` · on <a href=${`#/trail/${part(trail.id)}`}>${trail.name}</a>`}</p>
    </div>`;
}

/** The page of the run with that id. */
export function Desk({ id, isReadOnly }) {
  const run = useMemo(() => new OpenRun(id, isReadOnly), [id]);
  // The two players, once both are there; they tell the time to everything else.
  const [pair, setPair] = useState(null);
  const [isMissing, miss] = useState(false);
  useEffect(() => {
    run.reload().catch((error) => (error.status === 404 ? miss(true) : complain(error)));
    return () => run.close();
  }, [run]);
  useEffect(() => run.store.set({ isReadOnly }), [isReadOnly]);
  const { recording, trail } = useStore(run.store);
  useEffect(() => {
    if (recording === null) return;
    document.title = `${recording.name} – mtbsync`;
    // What there is to do with a reference is done on its trail's page.
    if (recording.is_reference) location.replace(`#/trail/${part(recording.trail)}`);
  }, [recording?.name, recording?.is_reference]);
  if (isMissing) return html`<h1>There is no such run</h1><p class="hint"><a href="#/">All runs</a></p>`;
  if (recording === null) return html`<p class="quiet">Loading …</p>`;
  return html`
    <div class="desk">
      <${Title} recording=${recording} trail=${trail} />
      <${Verdict} run=${run} />
      <div class="bench">
        <${Players} run=${run} onPair=${setPair} />
        ${pair && html`
          <${Strip} run=${run} pair=${pair} />
          <${Keys} run=${run} pair=${pair} />
          <${List} run=${run} pair=${pair} />`}
      </div>
      <${Out} run=${run} />
      ${pair && html`<${Later} title="Pictures" id="pictures" run=${run} pair=${pair}
        load=${() => import("./desk_pictures.js").then((m) => m.Pictures)} />`}
    </div>`;
}
