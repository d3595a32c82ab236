/** The page of a trail: its reference, the markers that every run gets, and its runs. */

import { Refused, all, ask, complain, onEvent, part, say } from "./api.js";
import { Changes, Loads } from "./changes.js";
import { Act, attempt, choose, focusNow, goOn } from "./desk_acts.js";
import { Moves } from "./desk_edit.js";
import { useCurrent } from "./desk_list.js";
import { Players } from "./desk_players.js";
import { Strip } from "./desk_strip.js";
import { verdictOf } from "./desk_verdict.js";
import { clock, count, when } from "./format.js";
import { Grid } from "./grid.js";
import { Dialog, Keys, close } from "./keys.js";
import { Fields, Swatch, Words, draftsOf, useKept } from "./marker_form.js";
import { Places } from "./marker_places.js";
import { Store, debounced, html, useEffect, useMemo, useOnce, useState, useStore } from "./lib.js";

const FIELDS = ["name", "colour", "comment", "duration_s"];
const PAUSE_MS = 80;

/** A trail's marker as the strip and the list take markers. */
const shown = (m) => ({
  ...m, state: "of the trail", t_ref_s: null, confidence: 1, expected_error_s: null, needs_review: false, reason: "",
  note: "", labels: [],
});
const told = ({ id, name, t_s, duration_s, colour, comment }) => ({ id, name, t_s, duration_s, colour, comment });
const find = (markers, id) => markers.find((marker) => marker.id === id) ?? null;
const isSame = (one, other) => JSON.stringify(one && told(one)) === JSON.stringify(other && told(other));

/**
 * The open trail, in the shape of an open run where both have the same: `store` has {trail, recording, runs, markers,
 * selected, edits, isReadOnly, ...}, and what a trail has none of is null or empty. `edits` are what was done to its
 * markers since it was opened, the newest first: {what, is_undone, id, before, after}, where a marker that was not
 * there is null.
 */
class OpenTrail {
  constructor(trailId, isReadOnly) {
    this.id = trailId;
    this.store = new Store({
      trail: null, recording: null, runs: [], markers: [], selected: null, isReadOnly, filter: "all", sought: "",
      reference: null, map: null, mapDoc: null, previousMap: null, moved: [], edits: [],
    });
    this.#soon = debounced(() => this.#isOver || this.reload().catch(complain), PAUSE_MS);
    this.#end = onEvent((happened) => this.#happened(happened).catch(complain));
  }

  #soon;
  #end;
  #isOver = false;
  #loads = new Loads(() => this.#load());
  #changes = new Changes(() => this.reload());
  #places = new Places((id, t_s) => this.patchMarker(id, { t_s }), () => this.reload());

  close() {
    this.#isOver = true;
    this.#end();
    this.#places.send();
  }

  /** Load everything anew, once at a time; gives when what is there now has been loaded. */
  reload() {
    return this.#loads.now();
  }

  async #happened({ kind, id }) {
    if (kind === "progress" || kind === "job") return;
    const { recording, runs } = this.store.get();
    const mine = [this.id, recording?.id, ...runs.flatMap((run) => [run.id, run.sync?.id])];
    if (kind === "reload" || mine.includes(id) || (kind === "sync" && await this.#isMine(id))) this.#soon();
  }

  /** Whether a sync that is new is one with this trail. */
  async #isMine(syncId) {
    try {
      const { trail } = await ask(`/syncs/${part(syncId)}`);
      return trail === this.id;
    } catch (error) {
      if (error.status === 404) return false;
      throw error;
    }
  }

  async #load() {
    const trail = await ask(`/trails/${part(this.id)}`);
    const [recording, runs] = await Promise.all([
      ask(`/recordings/${part(trail.recording)}`),
      all(`/recordings?trail=${part(this.id)}&show=runs`, "recordings"),
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
    await this.#edit("t_s" in change ? "moved" : "changed", id, (before) => ({ ...before, ...change }));
  }

  /** A new marker; gives it. */
  addMarker({ name, t_s }) {
    return this.#changes.make(async () => {
      const before = this.store.get().trail.markers;
      const { markers } = await this.#send({ markers: [...before.map(told), { name, t_s }] });
      const made = markers.find(({ id }) => find(before, id) === null);
      this.#note({ what: `${name} added`, id: made.id, before: null, after: made });
      return made;
    });
  }

  async removeMarker(id) {
    await this.#places.send();
    await this.#edit("deleted", id, () => null);
  }

  /** Have a marker be what `make(before)` gives, null for none. */
  async #edit(word, id, make) {
    await this.#changes.make(async () => {
      const before = find(this.store.get().trail.markers, id);
      if (before === null) throw new Refused(404, "That marker is gone; it was removed elsewhere.");
      const { markers } = await this.#put(id, make(before));
      this.#note({ what: `${before.name} ${word}`, id, before, after: find(markers, id) });
    });
  }

  #note(edit) {
    const done = this.store.get().edits.filter(({ is_undone }) => !is_undone);
    this.store.set({ edits: [{ ...edit, is_undone: false }, ...done] });
  }

  async undo() {
    const { what } = await this.#turn((edits) => edits.find(({ is_undone }) => !is_undone));
    say(`Undone: ${what}`);
  }

  async redo() {
    const { what } = await this.#turn((edits) => edits.findLast(({ is_undone }) => is_undone));
    say(`Done again: ${what}`);
  }

  /** Take back the edit that `pick(edits)` gives, or do it again; not where the marker was changed since. Gives it. */
  async #turn(pick) {
    await this.#places.send();
    return this.#changes.make(async () => {
      const { edits, trail } = this.store.get();
      const edit = pick(edits);
      if (edit === undefined) throw new Refused(409, "There is nothing left to undo or to do again.");
      const [from, to] = edit.is_undone ? [edit.before, edit.after] : [edit.after, edit.before];
      if (!isSame(find(trail.markers, edit.id), from)) {
        throw new Refused(409, `${(from ?? to).name} was changed elsewhere since; it is left as it is.`);
      }
      await this.#put(edit.id, to);
      this.store.set({ edits: edits.map((e) => (e === edit ? { ...e, is_undone: !e.is_undone } : e)) });
      return edit;
    });
  }

  /** Have the marker with that id be `marker`, null for none; gives the trail. */
  #put(id, marker) {
    const others = this.store.get().trail.markers.filter((other) => other.id !== id);
    return this.#send({ markers: (marker === null ? others : [...others, marker]).map(told) });
  }

  async rename(name) {
    await this.#changes.make(() => this.#send({ name }));
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

  #send(change) {
    const { etag } = this.store.get().trail;
    return ask(`/trails/${part(this.id)}`, { method: "PATCH", body: change, etag });
  }
}

function Title({ open }) {
  const { trail, recording, isReadOnly } = useStore(open.store);
  const [asked, setAsked] = useState(null);
  const done = () => setAsked(null);
  return html`
    <div class="title bar">
      <div><h1>${trail.name}</h1>
        <p class="quiet">Trail · reference <a href=${`#/run/${part(recording.id)}`}>${recording.name}</a>,
          ${clock(recording.duration_s)} min
          ${!trail.is_ready && " · being learned; runs can be compared with it soon"}</p></div>
      ${!isReadOnly && html`<div class="acts">
        <button type="button" onClick=${() => setAsked("name")}>Rename …</button>
        <button type="button" onClick=${() => setAsked("remove")}>Remove …</button></div>`}
      ${asked === "name" && html`<${Rename} open=${open} name=${trail.name} onClose=${done} />`}
      ${asked === "remove" && html`<${Remove} open=${open} onClose=${done} />`}
    </div>`;
}

function Rename({ open, name, onClose }) {
  const rename = (event) => {
    event.preventDefault();
    const wanted = event.currentTarget.elements.name.value.trim();
    close(event);
    if (wanted && wanted !== name) attempt(() => open.rename(wanted).then(() => say(`It is called ${wanted} now.`)));
  };
  return html`
    <${Dialog} label="Rename the trail" onClose=${onClose}>
      <form onSubmit=${rename}>
        <h2>Rename the trail</h2>
        <div class="field"><label for="trail-name">Name</label>
          <input id="trail-name" name="name" required maxlength="200" defaultValue=${name} autocomplete="off" /></div>
        <p class="acts"><button type="submit" class="main">Rename it</button>
          <button type="button" onClick=${close}>Leave it</button></p>
      </form>
    <//>`;
}

function Remove({ open, onClose }) {
  const { trail, runs } = open.store.get();
  const remove = (event) => {
    close(event);
    attempt(() => goOn(() => open.remove().then(() => "#/")));
  };
  return html`
    <${Dialog} label="Remove the trail" onClose=${onClose}>
      <h2>Remove ${trail.name}?</h2>
      <p>The trail and its ${count(trail.markers.length, "marker")} are forgotten; this cannot be undone. No video is
        touched: the reference stays a recording,
        and ${runs.length === 1 ? "the run keeps" : `the ${runs.length} runs keep`} the markers that are there.</p>
      <p class="acts"><button type="button" class="main" onClick=${remove}>Remove it</button>
        <button type="button" autofocus onClick=${close}>Leave it</button></p>
    <//>`;
}

const COLUMNS = [
  { key: "name", title: "Marker",
    cell: (m) => html`<${Swatch} colour=${m.colour} /><span class="text">${m.name}</span>` },
  { key: "new number", title: "At", cell: (m) => clock(m.t_s, 2) },
  { key: "why", title: "Comment", cell: (m) => html`<span class="text" title=${m.comment}>${m.comment}</span>` },
];

function Markers({ open, pair }) {
  const { recording, markers, selected, isReadOnly } = useStore(open.store);
  const current = useCurrent(pair, markers, recording);
  const save = (id, change) => open.patchMarker(id, change);
  const drafts = useMemo(() => draftsOf(open.id, { find: (id) => open.marker(id), save }), [open]);
  useKept(drafts);
  const marker = open.marker(selected);
  return html`
    <div class="markers of-trail">
      <section class="section" aria-label="Markers">
        <div class="bar"><h2>Markers</h2><p class="quiet small">Every run of the trail gets them.</p></div>
        <${Grid} label="Markers of this trail" columns=${COLUMNS} rows=${markers}
          selected=${selected} current=${current} onChoose=${(id) => choose(open, pair, id)}
          empty="None yet: go to a place and press M." />
      </section>
      <section class="section edit" aria-label="The selected marker">
        ${marker === undefined ? html`<p class="quiet">Choose a marker to see and edit it here.</p>` : html`
          <p class="number small">At ${clock(marker.t_s, 3)} of the reference</p>
          ${isReadOnly ? html`<${Words} names=${FIELDS} marker=${marker} />` : html`
            <${Acts} open=${open} pair=${pair} marker=${marker} drafts=${drafts} />
            <${Fields} key=${marker.id} names=${FIELDS} marker=${marker} drafts=${drafts} />`}`}
      </section>
    </div>`;
}

function Acts({ open, pair, marker, drafts }) {
  const remove = useOnce(async () => {
    const isFocusThere = focusNow();
    await drafts.keep(marker.id);
    await open.removeMarker(marker.id);
    drafts.forget(marker.id);
    if (isFocusThere()) document.querySelector(".of-trail .grid")?.focus();
    say(`${marker.name} is no longer on the trail.`);
  }, [marker.id]);
  return html`
    <${Moves} label="Move it on the reference" run=${open} pair=${pair} marker=${marker}>
      <${Act} act=${remove}>Delete it<//>
    <//>`;
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
          <li key=${run.id}><a href=${`#/run/${part(run.id)}`}>${run.name}</a>
            <span class="quiet small">${when(run)}</span>
            <span class=${kind}>${words}</span>
            ${run.markers.n_to_review > 0 && html`
              <span class="doubt small">${count(run.markers.n_to_review, "marker")} to review</span>`}</li>`;
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
