/** The markers of a run, around where it plays: which wait for a person, which are sure, and what is to be done. */

import { clock, percent, rate } from "./format.js";
import { Act, acceptCertain, choose, decideAll, tick } from "./desk_acts.js";
import { Edit } from "./desk_edit.js";
import { Grid } from "./grid.js";
import { Swatch } from "./marker_form.js";
import { CERTAIN, FILTERS, certainOnes, errorOf, gradeOf, indexAt, listed, stateOf, sureness } from "./markers.js";
import { html, useEffect, useMemo, useState, useStore } from "./lib.js";

const nameOf = ({ name, colour }) => html`
  <${Swatch} colour=${colour} /><span class="text" title=${name}>${name}</span>`;
const errorIn = (marker) => (errorOf(marker) === null ? "" : `±${errorOf(marker).toFixed(2)} s`);

/** The columns of the list; ticking is for those who may change things. */
function columnsFor(run, isReadOnly) {
  const ticks = {
    key: "tick", title: html`<span class="visually-hidden">Chosen</span>`,
    cell: (m) => html`<input type="checkbox" tabindex="-1" aria-label=${`Choose ${m.name}`}
      checked=${run.store.get().ticked.has(m.id)} onClick=${(event) => event.stopPropagation()}
      onChange=${() => tick(run, m.id)} />`,
  };
  return [
    ...(isReadOnly ? [] : [ticks]),
    { key: "name", title: "Marker", cell: nameOf },
    { key: "new number", title: "This run", cell: (m) => clock(m.t_s, 2) },
    { key: "ref number", title: "Reference", cell: (m) => clock(m.t_ref_s, 2) },
    { key: "sure", title: "How sure", cell: (m) => html`<span class=${`grade ${gradeOf(m)}`}>${sureness(m)}</span>` },
    { key: "error number", title: "Off by", cell: errorIn },
    { key: "state", title: "State", cell: stateOf },
    { key: "why", title: "Why", cell: (m) => html`<span class="text" title=${m.reason}>${m.reason}</span>` },
  ];
}

/** The index of the marker that the playhead is in, which changes less often than the time. */
export function useCurrent(pair, markers, recording) {
  const [current, set] = useState(-1);
  useEffect(() => {
    // A marker lies within the frame that shows it.
    const frame_s = 1 / rate(recording.rate);
    const look = () => set(indexAt(markers, pair.t_new_s + frame_s / 2));
    look();
    pair.addEventListener("time", look);
    return () => pair.removeEventListener("time", look);
  }, [pair, markers, recording.rate]);
  return current;
}

function Filters({ run }) {
  const { markers, filter, sought } = useStore(run.store);
  return html`
    <div class="acts" role="group" aria-label="Which markers are listed">
      ${Object.entries(FILTERS).map(([name, { word, keeps }]) => html`
        <button key=${name} type="button" aria-pressed=${String(name === filter)}
            onClick=${() => run.store.set({ filter: name })}>
          ${word} <span class="quiet number">${markers.filter(keeps).length}</span></button>`)}
      <input type="search" aria-label="Search the markers" placeholder="Search" value=${sought}
        onInput=${(event) => run.store.set({ sought: event.currentTarget.value })} />
    </div>`;
}

const NONE = { review: "Nothing is left to review.", all: "This run has no markers." };

function Several({ run }) {
  const { markers, ticked } = useStore(run.store);
  const n = certainOnes(markers).length;
  const ids = markers.filter((marker) => ticked.has(marker.id)).map((marker) => marker.id);
  return html`
    <div class="acts several">
      <${Act} isOff=${n === 0} act=${() => acceptCertain(run)}>
        Accept all that are certain (${percent(CERTAIN)} or more): <span class="number">${n}</span><//>
      ${ids.length > 0 && html`
        <${Act} act=${() => decideAll(run, ids, "accepted")}>Accept the ${ids.length} chosen<//>
        <${Act} act=${() => decideAll(run, ids, "rejected")}>Reject the ${ids.length} chosen<//>`}
    </div>`;
}

/** The list, and the form of the marker that is selected. */
export function List({ run, pair }) {
  const { recording, markers, selected, filter, sought, ticked, isReadOnly } = useStore(run.store);
  const rows = useMemo(() => listed({ markers, filter, sought }), [markers, filter, sought]);
  const columns = useMemo(() => columnsFor(run, isReadOnly), [run, isReadOnly, ticked]);
  const current = useCurrent(pair, rows, recording);
  const empty = sought || filter === "missing" ? "None." : NONE[filter];
  return html`
    <div class=${`markers ${isReadOnly ? "read-only" : ""}`}>
      <section class="section" aria-label="Markers">
        <div class="bar"><h2>Markers</h2><${Filters} run=${run} /></div>
        ${!isReadOnly && html`<${Several} run=${run} />`}
        <${Grid} label="Markers of this run" columns=${columns} rows=${rows} selected=${selected} current=${current}
          rowClass=${({ state }) => (state === "rejected" ? state : "")}
          onChoose=${(id) => choose(run, pair, id)} empty=${empty} />
      </section>
      <${Edit} run=${run} pair=${pair} />
    </div>`;
}
