/** The marker that is selected: what it says, where it stands, what a person makes of it; and the same places. */

import { clock } from "./format.js";
import { Act, attempt, decideSelected, nudge, putAtPlayhead } from "./desk_acts.js";
import { Fields, Words, draftsOf, useKept } from "./marker_form.js";
import { errorOf, stateOf, sureness } from "./markers.js";
import { html, useMemo, useStore } from "./lib.js";

const FIELDS = ["name", "colour", "comment", "note", "labels", "duration_s"];
const NUDGES = [[-10, "10 frames back"], [-1, "1 frame back"], [1, "1 frame on"], [10, "10 frames on"]];

/** Where it stands, how sure that is, and why it waits. */
function About({ marker }) {
  const off_s = errorOf(marker);
  return html`
    <dl class="about number small">
      <div><dt>This run</dt><dd>${clock(marker.t_s, 3)}</dd></div>
      <div><dt>Reference</dt><dd>${clock(marker.t_ref_s, 3)}</dd></div>
      <div><dt>How sure</dt><dd>${sureness(marker)}</dd></div>
      <div><dt>May be off</dt><dd>${off_s === null ? "–" : `±${off_s.toFixed(2)} s`}</dd></div>
      <div><dt>State</dt><dd>${stateOf(marker)}</dd></div>
    </dl>
    ${marker.reason && html`<p class="small">${sentence(marker.reason)}</p>`}`;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}${text.endsWith(".") ? "" : "."}`;

function Acts({ run, pair, marker }) {
  const isPlaced = marker.t_s !== null;
  return html`
    <div class="acts">
      <${Act} class="main" isOff=${!isPlaced || marker.state === "accepted"}
        act=${() => decideSelected(run, pair, "accepted")}>Accept <kbd>A</kbd><//>
      <${Act} isOff=${marker.state === "rejected"}
        act=${() => decideSelected(run, pair, "rejected")}>Reject <kbd>R</kbd><//>
    </div>
    <${Moves} label="Move it on this run" run=${run} pair=${pair} marker=${marker} />`;
}

/** Buttons that move the selected marker; `children` come behind them. */
export function Moves({ label, run, pair, marker, children }) {
  return html`
    <div class="acts" role="group" aria-label=${label}>
      ${NUDGES.map(([n, words]) => html`
        <${Act} key=${n} class="step" aria-label=${words} title=${words} isOff=${marker.t_s === null}
          act=${() => nudge(run, pair, n)}>${n < 0 ? "−" : "+"}${Math.abs(n)}<//>`)}
      <button type="button" onClick=${() => putAtPlayhead(run, pair)}>Put it at the playhead</button>
      ${children}
    </div>`;
}

/** The places that a person saw to be the same, which the map goes through. */
function Anchors({ run, pair }) {
  const { mapDoc, isReadOnly } = useStore(run.store);
  if (mapDoc === null) return null;
  return html`
    <details class="anchors">
      <summary><h3>Same places <span class="quiet number">${mapDoc.anchors.length}</span></h3></summary>
      ${mapDoc.anchors.length === 0 && html`
        <p class="small quiet">None yet. Unlock the videos, have both show the same place, and press <kbd>S</kbd>:
          the map goes through it from then on.</p>`}
      <ul>${mapDoc.anchors.map((anchor) => html`
        <li key=${anchor.id} class="acts">
          <button type="button" class="plain number" aria-label=${`Go to ${clock(anchor.t_new_s, 2)} of the run`}
            onClick=${() => pair.seekNew(anchor.t_new_s)}
          >${clock(anchor.t_new_s, 2)} ↔ ${clock(anchor.t_ref_s, 2)}</button>
          ${!isReadOnly && html`<button type="button" aria-label=${`Take back ${clock(anchor.t_new_s, 2)}`}
            onClick=${() => attempt(() => run.removeAnchor(anchor.id))}>Take back</button>`}
          <span class="small quiet">${anchor.marker !== null && run.marker(anchor.marker)?.name}</span>
        </li>`)}</ul>
    </details>`;
}

/** The selected marker of the open run. */
export function Edit({ run, pair }) {
  const { selected, mapDoc, isReadOnly } = useStore(run.store);
  const find = (id) => run.marker(id);
  const save = (id, change) => run.patchMarker(id, change);
  const drafts = useMemo(() => draftsOf(run.id, { find, save }), [run]);
  useKept(drafts);
  const marker = find(selected);
  return html`
    <section class="section edit" aria-label="The selected marker">
      ${marker === undefined ? html`<p class="quiet">Choose a marker to see and edit it here.</p>` : html`
        <h2 class="visually-hidden">${marker.name}</h2>
        <${About} marker=${marker} />
        ${isReadOnly ? html`<${Words} names=${FIELDS} marker=${marker} />` : html`
          <${Acts} run=${run} pair=${pair} marker=${marker} />
          <${Fields} key=${marker.id} names=${FIELDS} marker=${marker} drafts=${drafts} />`}`}
      <${Anchors} run=${run} pair=${pair} />
      <p role="status" class="small quiet">${mapDoc?.is_pending ? "The map is being fitted again …" : ""}</p>
    </section>`;
}
