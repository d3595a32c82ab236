/** The run that is open: what is known of it, and what a person can do with it. Every change is saved as it is made. */

import { Refused, ask, complain, onEvent, part, say } from "./api.js";
import { Changes, Loads } from "./changes.js";
import { Store, debounced } from "./lib.js";
import { Places } from "./marker_places.js";
import { TimeMap } from "./timemap.js";

const PAUSE_MS = 80;
// Less than that nobody sees.
const MOVED_S = 0.001;

/**
 * The open run, `recordingId`. `store` has
 * {recording, reference, sync, trail, map, mapDoc, previousMap, moved, markers, selected, edits, isReadOnly};
 * it is null of what there is none of. Which markers are listed say `filter` ("all", "review" or "missing") and
 * `sought`, a part of their words; `ticked` are the ids of those that are chosen for one act. `close()` ends it.
 */
export class OpenRun {
  constructor(recordingId, isReadOnly) {
    this.id = recordingId;
    this.store = new Store({
      recording: null, reference: null, sync: null, trail: null, map: null, mapDoc: null, previousMap: null, moved: [],
      markers: [], selected: null, edits: [], isReadOnly, filter: "all", sought: "", ticked: new Set(),
    });
    this.#soon = debounced(() => this.reload().catch(complain), PAUSE_MS);
    this.#end = onEvent((happened) => this.#happened(happened));
  }

  #soon;
  #end;
  #loads = new Loads(() => this.#load());
  // How things were when no map was being fitted.
  #settled = null;
  #changes = new Changes(() => this.reload());
  #places = new Places((id, t_s) => this.patchMarker(id, { t_s }), () => this.reload());

  close() {
    this.#end();
    this.#soon.cancel();
    this.#places.send();
  }

  /** Load everything anew, once at a time; gives when what is there now has been loaded. */
  reload() {
    return this.#loads.now();
  }

  async #load() {
    const [recording, { edits }] = await Promise.all([
      ask(`/recordings/${part(this.id)}`), ask(`/recordings/${part(this.id)}/edits`),
    ]);
    const { sync } = recording;
    const [reference, trail] = await Promise.all([
      sync?.reference ? ask(`/recordings/${part(sync.reference)}`) : null,
      sync?.trail ? ask(`/trails/${part(sync.trail)}`) : null,
    ]);
    const mapDoc = trail && sync.reference ? await this.#loadMap(sync) : null;
    // After the map, so that they stand where it has put them.
    const { markers } = await ask(`/recordings/${part(this.id)}/markers`);
    const shown = unchanged(this.store.get().markers, this.#places.placed(markers));
    this.store.set({ recording, reference, sync, trail, markers: shown, edits, ...this.#mapped(mapDoc, markers) });
  }

  /** The map of a sync; null where it has none. */
  async #loadMap(sync) {
    try {
      return await ask(`/syncs/${part(sync.id)}/map`);
    } catch (error) {
      if (error.status !== 409) throw error;
      // One that was there is replaced just now, which is told of once it is done.
      const { mapDoc } = this.store.get();
      return mapDoc?.sync === sync.id ? mapDoc : null;
    }
  }

  /** The map, and what a refit has moved, once it is done. */
  #mapped(mapDoc, markers) {
    if (mapDoc === null) {
      this.#settled = null;
      return { map: null, mapDoc: null, previousMap: null, moved: [] };
    }
    const before = this.store.get();
    const map = isSameMap(before.mapDoc, mapDoc) ? before.map : new TimeMap(mapDoc);
    if (mapDoc.is_pending) return { map, mapDoc };
    const settled = this.#settled;
    this.#settled = { map, mapDoc, places: new Map(markers.map((marker) => [marker.id, marker.t_s])) };
    if (settled === null || isSameMap(settled.mapDoc, mapDoc)) return { map, mapDoc };
    return { map, mapDoc, previousMap: settled.map, moved: movedFrom(settled.places, markers) };
  }

  #happened({ kind, id, stage, done }) {
    const { sync, reference, trail } = this.store.get();
    const mine = [this.id, sync?.id, reference?.id, trail?.id];
    if (kind === "progress") {
      // A sync is called as the job that does it.
      if (id === sync?.id) this.store.set({ sync: { ...sync, state: "running", stage, progress: done ?? 0 } });
    } else if (kind === "reload" || (kind !== "job" && mine.includes(id))) {
      this.#soon();
    }
  }

  select(id) {
    this.store.set({ selected: id });
  }

  marker(id) {
    return this.store.get().markers.find((marker) => marker.id === id);
  }

  /** The version of a marker as it is shown now. */
  #versionOf(id) {
    const marker = this.marker(id);
    if (marker === undefined) throw new Refused(404, "That marker is gone; it was removed meanwhile.");
    return marker.version;
  }

  /** Change a marker as it is shown now; whoever changed it meanwhile is not overruled. */
  async patchMarker(id, change) {
    await this.#changes.make(() => {
      const path = `/recordings/${part(this.id)}/markers/${part(id)}`;
      return ask(path, { method: "PATCH", body: change, etag: `"${this.#versionOf(id)}"` });
    });
  }

  /** Put a marker elsewhere on the run. It stands there at once; the daemon is told where it came to rest. */
  moveMarker(id, t_s) {
    this.#places.put(id, t_s);
    this.store.set({ markers: this.#places.placed(this.store.get().markers) });
  }

  /** Accept or reject markers as they stand: "accepted" or "rejected". */
  async decide(ids, state) {
    await this.#places.send();
    await this.#changes.make(() => {
      const markers = ids.map((id) => ({ id, version: this.#versionOf(id) }));
      return ask(`/recordings/${part(this.id)}/decisions`, { method: "POST", body: { state, markers } });
    });
  }

  /** A marker on this run alone: {name, t_s, t_ref_s, ...}; gives it. */
  addMarker(fields) {
    return this.#changes.make(() => ask(`/recordings/${part(this.id)}/markers`, { method: "POST", body: fields }));
  }

  /** A marker on the trail, {name, t_s, ...} on the reference's clock; every run gets it. */
  async addTrailMarker(fields) {
    await this.#changes.make(() => {
      const { trail } = this.store.get();
      const markers = [...trail.markers, fields];
      return ask(`/trails/${part(trail.id)}`, { method: "PATCH", body: { markers }, etag: trail.etag });
    });
  }

  /** Two moments are at the same place. */
  async addAnchor(t_new_s, t_ref_s) {
    const { sync } = this.store.get();
    const body = { t_new_s, t_ref_s };
    await this.#changes.make(() => ask(`/syncs/${part(sync.id)}/anchors`, { method: "POST", body }));
  }

  async removeAnchor(id) {
    const { sync } = this.store.get();
    await this.#changes.make(() => ask(`/syncs/${part(sync.id)}/anchors/${part(id)}`, { method: "DELETE" }));
  }

  async undo() {
    await this.#places.send();
    const { what } = await this.#changes.make(() => ask(`/recordings/${part(this.id)}/undo`, { method: "POST" }));
    say(`Undone: ${what}`);
  }

  async redo() {
    await this.#places.send();
    const { what } = await this.#changes.make(() => ask(`/recordings/${part(this.id)}/redo`, { method: "POST" }));
    say(`Done again: ${what}`);
  }
}

/** The markers, but those before themselves where nothing has changed, so that nothing is drawn anew for them. */
function unchanged(before, markers) {
  const known = new Map(before.map((marker) => [marker.id, marker]));
  const isSame = (one, other) => one?.version === other.version && one.t_s === other.t_s;
  const kept = markers.map((marker) => (isSame(known.get(marker.id), marker) ? known.get(marker.id) : marker));
  return kept.length === before.length && kept.every((marker, k) => marker === before[k]) ? before : kept;
}

function isSameMap(one, other) {
  const isSame = (a, b) => a.length === b.length && a.every((value, k) => value === b[k]);
  return one !== null && ["t_new", "t_ref", "se_s"].every((name) => isSame(one[name], other[name]))
    && isSame(one.support.flat(), other.support.flat());
}

/** The markers that a map has put elsewhere than they were; those that a person has placed it does not move. */
function movedFrom(places, markers) {
  const isMoved = ({ id, state, t_s }) => state === "found" && t_s !== null && (places.get(id) ?? null) !== null
    && Math.abs(t_s - places.get(id)) > MOVED_S;
  return markers.filter(isMoved).map(({ id, name, t_s }) => ({ id, name, from_s: places.get(id), to_s: t_s }));
}
