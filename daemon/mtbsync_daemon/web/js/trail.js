/** The page of a trail: its reference, the markers that every run gets, and its runs. */

import { all, ask, complain, onEvent, part, say } from "./api.js";
import { attempt, choose, nudge, putAtPlayhead } from "./desk_acts.js";
import { Swatch, useCurrent } from "./desk_list.js";
import { Players } from "./desk_players.js";
import { Strip } from "./desk_strip.js";
import { verdictOf } from "./desk_verdict.js";
import { clock, count, when } from "./format.js";
import { Grid } from "./grid.js";
import { Dialog, Keys } from "./keys.js";
import { Drafts, Fields, Words, useKept } from "./marker_form.js";
import { Changes, Places } from "./marker_places.js";
import { Store, debounced, html, useEffect, useMemo, useState, useStore } from "./lib.js";

const FIELDS = ["name", "colour", "comment", "duration_s"];
const PAUSE_MS = 80;
const STEP_WORDS = [[-10, "10 frames back"], [-1, "1 frame back"], [1, "1 frame on"], [10, "10 frames on"]];

/** A trail's marker as the strip and the list take markers. */
const shown = (m) => ({
  ...m, state: "of the trail", t_ref_s: null, confidence: 1, expected_error_s: null, needs_review: false, reason: "", note: "", labels: [],
});
const told = ({ id, name, t_s, duration_s, colour, comment }) => ({ id, name, t_s, duration_s, colour, comment });

/**
 * The open trail, in the shape of an open run where both have the same: `store` has {trail, recording, runs, markers,
 * selected, isReadOnly, ...}, and what a trail has none of is null or empty.
 */
class OpenTrail {
  constructor(trailId, isReadOnly) {
    this.id = trailId;
    this.store = new Store({
      trail: null, recording: null, runs: [], markers: [], selected: null, isReadOnly, filter: "all", sought: "",
      reference: null, map: null, mapDoc: null, previousMap: null, moved: [], edits: [],
    });
    this.#soon = debounced(() => this.#isOver || this.reload().catch(complain), PAUSE_MS);
    this.#end = onEvent(({ kind }) => ["trail", "recording", "sync", "reload"].includes(kind) && this.#soon());
  }

  #soon;
  #end;
  #isOver = false;
  #changes = new Changes(() => this.reload());
  #places = new Places((id, t_s) => this.patchMarker(id, { t_s }), () => this.reload());

  close() {
    this.#isOver = true;
    this.#end();
    this.#places.send();
  }

  async reload() {
    const trail = await ask(`/trails/${part(this.id)}`);
    const [recording, runs] = await Promise.all([
      ask(`/recordings/${part(trail.recording)}`), all(`/recordings?trail=${part(this.id)}&show=runs`, "recordings"),
    ]);
    this.store.set({ trail, recording, runs, markers: this.#places.placed(trail.markers.map(shown)) });
  }

  select(id) {
    this.store.set({ selected: id });
  }

  marker(id) {
    return this.store.get().markers.find((marker) => marker.id === id);
  }

  /** Put a marker elsewhere; it stands there at once. */
  moveMarker(id, t_s) {
    this.#places.put(id, t_s);
    this.store.set({ markers: this.#places.placed(this.store.get().markers) });
  }

  async patchMarker(id, change) {
    await this.#mark((markers) => markers.map((marker) => (marker.id === id ? { ...marker, ...change } : marker)));
  }

  /** A new marker; gives it. */
  async addMarker({ name, t_s }) {
    const before = new Set(this.store.get().markers.map((marker) => marker.id));
    await this.#mark((markers) => [...markers, { name, t_s }]);
    return this.store.get().markers.find((marker) => marker.t_s === t_s && !before.has(marker.id));
  }

  async removeMarker(id) {
    await this.#mark((markers) => markers.filter((marker) => marker.id !== id));
  }

  async rename(name) {
    await this.#change(() => ({ name }));
  }

  async remove() {
    // What happens to it from here on is no news.
    this.#isOver = true;
    try {
      await ask(`/trails/${part(this.id)}`, { method: "DELETE", etag: this.store.get().trail.etag });
    } catch (error) {
      this.#isOver = false;
      await this.reload();
      throw error;
    }
  }

  #mark(made) {
    return this.#change(({ markers }) => ({ markers: made(markers.map(told)) }));
  }

  #change(made) {
    return this.#changes.make(() => {
      const { trail } = this.store.get();
      return ask(`/trails/${part(this.id)}`, { method: "PATCH", body: made(trail), etag: trail.etag });
    });
  }
}

function Title({ open }) {
  const { trail, recording, isReadOnly } = useStore(open.store);
  const [asked, setAsked] = useState(null);
  const close = () => setAsked(null);
  return html`
    <div class="title bar">
      <div><h1>${trail.name}</h1>
        <p class="quiet">Trail · reference <a href=${`#/run/${part(recording.id)}`}>${recording.name}</a>, ${clock(recording.duration_s)} min
          ${!trail.is_ready && " · being learned; runs can be compared with it soon"}</p></div>
      ${!isReadOnly && html`<div class="acts">
        <button type="button" onClick=${() => setAsked("name")}>Rename …</button>
        <button type="button" onClick=${() => setAsked("remove")}>Remove …</button></div>`}
      ${asked === "name" && html`<${Rename} open=${open} name=${trail.name} onClose=${close} />`}
      ${asked === "remove" && html`<${Remove} open=${open} onClose=${close} />`}
    </div>`;
}

function Rename({ open, name, onClose }) {
  const rename = (event) => {
    event.preventDefault();
    const wanted = event.currentTarget.elements.name.value.trim();
    event.currentTarget.closest("dialog").close();
    if (wanted && wanted !== name) attempt(() => open.rename(wanted).then(() => say(`It is called ${wanted} now.`)));
  };
  return html`
    <${Dialog} label="Rename the trail" onClose=${onClose}>
      <form onSubmit=${rename}>
        <h2>Rename the trail</h2>
        <div class="field"><label for="trail-name">Name</label><input id="trail-name" name="name" required maxlength="200" defaultValue=${name} autocomplete="off" /></div>
        <p class="acts"><button type="submit" class="main">Rename it</button>
          <button type="button" onClick=${(event) => event.currentTarget.closest("dialog").close()}>Leave it</button></p>
      </form>
    <//>`;
}

function Remove({ open, onClose }) {
  const { trail, runs } = open.store.get();
  const remove = (event) => {
    event.currentTarget.closest("dialog").close();
    attempt(async () => {
      await open.remove();
      location.hash = "#/";
    });
  };
  return html`
    <${Dialog} label="Remove the trail" onClose=${onClose}>
      <h2>Remove ${trail.name}?</h2>
      <p>The trail and its ${count(trail.markers.length, "marker")} are forgotten; this cannot be undone. No video is touched: the
        reference stays a recording, and ${runs.length === 1 ? "the run keeps" : `the ${runs.length} runs keep`} the markers that are there.</p>
      <p class="acts"><button type="button" class="main" onClick=${remove}>Remove it</button>
        <button type="button" autofocus onClick=${(event) => event.currentTarget.closest("dialog").close()}>Leave it</button></p>
    <//>`;
}

const COLUMNS = [
  { key: "name", title: "Marker", cell: (m) => html`<${Swatch} colour=${m.colour} /><span class="text">${m.name}</span>` },
  { key: "new number", title: "At", cell: (m) => clock(m.t_s, 2) },
  { key: "why", title: "Comment", cell: (m) => html`<span class="text" title=${m.comment}>${m.comment}</span>` },
];

function Markers({ open, pair }) {
  const { recording, markers, selected, isReadOnly } = useStore(open.store);
  const current = useCurrent(pair, markers, recording);
  const save = (id, change) => open.patchMarker(id, change);
  const drafts = useMemo(() => new Drafts({ find: (id) => open.marker(id), save }), [open]);
  useKept(drafts);
  const marker = open.marker(selected);
  return html`
    <div class="markers of-trail">
      <section class="section" aria-label="Markers">
        <div class="bar"><h2>Markers</h2><p class="quiet small">Every run of the trail gets them.</p></div>
        <${Grid} label="Markers of this trail" columns=${COLUMNS} rows=${markers} selected=${selected} current=${current}
          onChoose=${(id) => choose(open, pair, id)} empty="None yet: go to a place and press M." />
      </section>
      <section class="section edit" aria-label="The selected marker">
        ${marker === undefined ? html`<p class="quiet">Choose a marker to see and edit it here.</p>` : html`
          <p class="number small">At ${clock(marker.t_s, 3)} of the reference</p>
          ${isReadOnly ? html`<${Words} names=${FIELDS} marker=${marker} />` : html`
            <${Acts} open=${open} pair=${pair} marker=${marker} />
            <${Fields} key=${marker.id} names=${FIELDS} marker=${marker} drafts=${drafts} />`}`}
      </section>
    </div>`;
}

function Acts({ open, pair, marker }) {
  const remove = () => attempt(() => open.removeMarker(marker.id).then(() => say(`${marker.name} is no longer on the trail.`)));
  return html`
    <div class="acts" role="group" aria-label="Move it on the reference">
      ${STEP_WORDS.map(([n, words]) => html`
        <button key=${n} type="button" class="step" aria-label=${words} title=${words} onClick=${() => nudge(open, pair, n)}>
          ${n < 0 ? "−" : "+"}${Math.abs(n)}</button>`)}
      <button type="button" onClick=${() => putAtPlayhead(open, pair)}>Put it at the playhead</button>
      <button type="button" onClick=${remove}>Delete it</button>
    </div>`;
}

function Runs({ open }) {
  const { runs } = useStore(open.store);
  return html`
    <section class="section" aria-label="Runs of this trail">
      <h2>Runs <span class="quiet number">${runs.length}</span></h2>
      ${runs.length === 0 && html`<p class="quiet">No run has been lined up with this trail yet.</p>`}
      <ul class="runs-of-trail">${runs.map((run) => {
        const [kind, words] = verdictOf(run.sync);
        return html`
          <li key=${run.id}><a href=${`#/run/${part(run.id)}`}>${run.name}</a> <span class="quiet small">${when(run)}</span>
            <span class=${kind}>${words}</span>
            ${run.markers.n_to_review > 0 && html`<span class="doubt small">${count(run.markers.n_to_review, "marker")} to review</span>`}</li>`;
      })}</ul>
    </section>`;
}

/** The page of the trail with that id. */
export function TrailPage({ id, isReadOnly }) {
  const open = useMemo(() => new OpenTrail(id, isReadOnly), [id]);
  const [pair, setPair] = useState(null);
  useEffect(() => {
    open.reload().catch(complain);
    return () => open.close();
  }, [open]);
  useEffect(() => open.store.set({ isReadOnly }), [isReadOnly]);
  const { trail } = useStore(open.store);
  if (trail === null) return html`<p class="quiet">Loading …</p>`;
  return html`
    <div class="desk trail">
      <${Title} open=${open} />
      <${Players} run=${open} onPair=${setPair} />
      ${pair && html`
        <${Strip} run=${open} pair=${pair} isTrail=${true} />
        <${Keys} run=${open} pair=${pair} isTrail=${true} />
        <${Markers} open=${open} pair=${pair} />`}
      <${Runs} open=${open} />
    </div>`;
}
