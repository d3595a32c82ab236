/** The session that is open: what is known of it, where its cameras lie, and what a person does with it. */

import { ask, complain, onEvent, part, say } from "./api.js";
import { Changes, Loads } from "./changes.js";
import { rate } from "./format.js";
import { Store, debounced } from "./lib.js";
import { decidedOf, isOpen, lies } from "./sessions_words.js";

const PAUSE_MS = 80;
const CHANGED = 412;
const MISSING = 404;
const PPM = 1e-6;

/** The address of a camera, or of what is below it. */
export const pathOf = (id, label, rest = "") => `/sessions/${part(id)}/cameras/${part(label)}${rest}`;

/** Where a file lies that was made of a camera's footage; null where there is none. The address is another one
 * once it was made anew. */
export function madeOf(id, camera, kind) {
  const found = camera.derived.find((made) => made.kind === kind);
  return found ? { url: `/api/v1${pathOf(id, camera.label, `/derived/${kind}`)}`, key: found.sha256 } : null;
}

// What was nudged and not saved stays while the page does, whatever else is looked at meanwhile.
const kept = new Map();

addEventListener("beforeunload", (event) => {
  if ([...kept.values()].some((drafts) => drafts.size > 0)) event.preventDefault();
});

/**
 * The session `id`. `store` has {session (null before it is there), isMissing (there is none any more), selected (a
 * camera's label), drafts (by label: {offset_ms, drift_ppm, version} that a person has not saved), progress (of jobs,
 * by id), isReadOnly}. `close()` ends it.
 */
export class OpenSession {
  constructor(id, isReadOnly) {
    this.id = id;
    const drafts = kept.get(id) ?? new Map();
    const known = { session: null, isMissing: false, selected: null, progress: new Map() };
    this.store = new Store({ ...known, drafts, isReadOnly });
    this.#soon = debounced(() => this.reload().catch(complain), PAUSE_MS);
    this.#end = onEvent((happened) => this.#happened(happened));
  }

  #soon;
  #end;
  #loads = new Loads(() => this.#load());
  #changes = new Changes(() => this.reload());
  // Each decision is on what the one before left, also of what a person moved meanwhile.
  #decisions = new Changes(() => {});
  // Labels of cameras that a decision on is on its way.
  #saving = new Set();
  // What cameras are about to be called, by their labels.
  #renamed = new Map();

  close() {
    this.#end();
    this.#soon.cancel();
  }

  /** Load it anew, once at a time. */
  reload() {
    return this.#loads.now();
  }

  async #load() {
    try {
      this.#show(await ask(`/sessions/${part(this.id)}`));
    } catch (error) {
      if (error.status !== MISSING) throw error;
      this.#keep(new Map(), { isMissing: true });
    }
  }

  #show(session) {
    const { session: before, selected: chosen, drafts } = this.store.get();
    const labels = session.cameras.map(({ label }) => label);
    // What a person chose and moved stays so under another name.
    const now = (label) => (labels.includes(label) ? label : this.#renamed.get(label) ?? label);
    const selected = now(chosen);
    const placed = session.placements.map(({ camera }) => camera);
    const open = session.placements.find(isOpen)?.camera ?? placed[0] ?? labels[0] ?? null;
    // Once cameras are lined up, there is something to choose between.
    const isFirst = placed.length > 0 && !before?.placements.length;
    const left = [...drafts].map(([label, draft]) => [now(label), draft]).filter(([label]) => placed.includes(label));
    this.#keep(new Map(left), { session, selected: labels.includes(selected) && !isFirst ? selected : open });
    const paths = session.cameras.map(({ path }) => path);
    const gone = before?.cameras.filter(({ recording, path }) => recording === null && !paths.includes(path)) ?? [];
    for (const camera of gone) this.#tellTwin(camera).catch(complain);
  }

  /** A camera is gone that nothing was known of: say so where its footage turned out to be another camera's. */
  async #tellTwin({ path, file_name }) {
    const { recordings } = await ask(`/recordings?path=${part(path)}`);
    const isTwin = ({ recording }) => recordings.some(({ id }) => id === recording);
    const twin = this.store.get().session.cameras.find(isTwin);
    if (twin) say(`${file_name} was left out: it is the same footage as camera ${twin.label}’s.`);
  }

  #happened({ kind, id, stage, done }) {
    if (kind === "progress") {
      this.store.set({ progress: new Map(this.store.get().progress).set(id, { stage, done }) });
    } else if (kind === "reload" || (kind === "session" && id === this.id)) {
      this.#soon();
    }
  }

  // --- its cameras ---

  camera(label) {
    return this.store.get().session.cameras.find((camera) => camera.label === label);
  }

  placement(label) {
    return this.store.get().session.placements.find(({ camera }) => camera === label);
  }

  select(label) {
    this.store.set({ selected: label });
  }

  /** Whether that is the master, which lies where it lies; a person who tries is told so. */
  isFixed(label) {
    const isMaster = label === this.store.get().session.master;
    if (isMaster) say(`Camera ${label} is the master; the others are moved against it.`);
    return isMaster;
  }

  /** Where a camera lies on the master's clock as a person sees it now; nulls where nothing tells. */
  lies(label) {
    const { session, drafts } = this.store.get();
    if (label === session.master) return { offset_ms: 0, drift_ppm: 0 };
    return drafts.get(label) ?? this.placement(label) ?? { offset_ms: null, drift_ppm: 0 };
  }

  /** A camera's clock on the master's: offset_s, and the seconds of the master in one of the camera; a camera of
   * which nothing is known begins with the master. */
  clockOf(label) {
    const { offset_ms, drift_ppm } = this.lies(label);
    return { offset_s: (offset_ms ?? 0) / 1000, pace: 1 + drift_ppm * PPM };
  }

  /** The cameras that can be seen and heard on the master's clock, the master first. */
  get rows() {
    const { session } = this.store.get();
    const isThere = ({ label }) => label === session.master || this.placement(label) !== undefined;
    return session.cameras.filter(isThere).sort((a, b) => (b.label === session.master) - (a.label === session.master));
  }

  /** A camera's first moment and its last, on the master's clock. */
  spanOf_s(label) {
    const { offset_s, pace } = this.clockOf(label);
    return [offset_s, offset_s + pace * this.camera(label).duration_s];
  }

  /** From the first moment of any camera to the last, on the master's clock. */
  get extent_s() {
    const ends = this.rows.map(({ label }) => this.spanOf_s(label));
    return [Math.min(0, ...ends.map(([begin]) => begin)), Math.max(1, ...ends.map(([, end]) => end))];
  }

  /** Call a camera something else. */
  async rename(label, to) {
    this.#renamed.set(label, to);
    try {
      await this.act("PATCH", `/cameras/${part(label)}`, { label: to });
    } finally {
      this.#renamed.delete(label);
    }
  }

  // --- what a person does with where they lie ---

  /** Put a camera elsewhere; it is seen and heard there at once, and saved when the person says so. */
  put(label, changed) {
    const { session, drafts } = this.store.get();
    const placement = this.placement(label);
    if (placement === undefined || label === session.master) return;
    const { offset_ms, drift_ppm } = this.lies(label);
    const { version } = drafts.get(label) ?? placement;
    const put = { offset_ms: offset_ms ?? 0, drift_ppm, version, ...changed };
    this.#keep(new Map(drafts).set(label, put));
  }

  /** Move a camera by milliseconds: later where they are above 0. */
  nudge(label, by_ms) {
    this.put(label, { offset_ms: (this.lies(label).offset_ms ?? 0) + by_ms });
    say(`Camera ${label} is at ${lies(this.lies(label))}.`);
  }

  /** How long one of a camera's frames lasts. */
  frame_ms(label) {
    return 1000 / rate(this.camera(label).frames_a_second ?? "25");
  }

  /** Forget what was not saved. */
  leave(label) {
    const drafts = new Map(this.store.get().drafts);
    drafts.delete(label);
    this.#keep(drafts);
  }

  #keep(drafts, others = {}) {
    kept.set(this.id, drafts);
    this.store.set({ drafts, ...others });
  }

  /** Where others have saved something else since a person began to move a camera. */
  clashOf(label) {
    const { drafts } = this.store.get();
    const [draft, placement] = [drafts.get(label), this.placement(label)];
    const isOlder = draft !== undefined && placement !== undefined && draft.version !== placement.version;
    return isOlder && !this.#saving.has(label);
  }

  /** Go on from what is saved now with what a person has moved; it is theirs that will be saved. */
  rebase(label) {
    const { drafts } = this.store.get();
    this.#keep(new Map(drafts).set(label, { ...drafts.get(label), version: this.placement(label).version }));
  }

  /** Save where a person has put a camera. */
  correct(label) {
    return this.#decisions.make(() => this.#correct(label));
  }

  async #correct(label) {
    const draft = this.store.get().drafts.get(label);
    if (draft === undefined) return;
    const { offset_ms, drift_ppm } = draft;
    if (!await this.#decide(label, { status: "corrected", offset_ms, drift_ppm })) return;
    say(`Camera ${label} is corrected to ${lies(draft)}.`);
  }

  /** Say that a camera lies right as it was found. */
  approve(label) {
    return this.#decisions.make(() => this.#approve(label));
  }

  async #approve(label) {
    if (this.#isMoved(label)) return;
    if (!isOpen(this.placement(label))) {
      say(`Camera ${label} is ${decidedOf(this.placement(label))} already.`);
      return;
    }
    if (!await this.#decide(label, { status: "approved" })) return;
    say(`Camera ${label} is approved.`);
    this.#goOn(label);
  }

  /** Take back what was decided on a camera. */
  takeBack(label) {
    return this.#decisions.make(() => this.#takeBack(label));
  }

  async #takeBack(label) {
    if (this.#isMoved(label)) return;
    if (isOpen(this.placement(label))) {
      say(`Nobody has decided on camera ${label} yet.`);
      return;
    }
    if (!await this.#decide(label, { status: "pending" })) return;
    say(`Camera ${label} lies as it was found again, and waits for you.`);
  }

  /** Whether a camera was moved and that is not saved, which is to be decided first. */
  #isMoved(label) {
    if (!this.store.get().drafts.has(label)) return false;
    say(`Camera ${label} was moved: save the correction, or leave it, first.`);
    return true;
  }

  /** Approve every camera that looks good and that nobody has decided on. */
  async approveAll() {
    await this.#changes.make(() => ask(`/sessions/${part(this.id)}/approval`, { method: "POST" }));
    say("All cameras that look good are approved.");
  }

  /** Tell what a person decided; whether that counts, as nobody else was quicker. */
  async #decide(label, body) {
    const draftOf = () => this.store.get().drafts.get(label);
    const draft = draftOf();
    const etag = `"${(draft ?? this.placement(label)).version}"`;
    this.#saving.add(label);
    try {
      await this.#changes.make(() => ask(pathOf(this.id, label, "/placement"), { method: "PUT", body, etag }));
      // Unless it was moved on meanwhile.
      const now = draftOf();
      if (now === draft) this.leave(label);
      else if (now !== undefined) this.rebase(label);
      return true;
    } catch (error) {
      if (error.status !== CHANGED) throw error;
      // What was not saved is on show beside what was: see `clashOf`.
      if (!this.store.get().drafts.has(label)) {
        say(`Camera ${label} was changed in another window meanwhile; look at it again.`);
      }
      return false;
    } finally {
      this.#saving.delete(label);
      this.#keep(this.store.get().drafts);
    }
  }

  /** Of those that wait the next is the one to look at, unless a person has gone on from `label` by themselves. */
  #goOn(label) {
    const { session, selected, drafts } = this.store.get();
    if (selected !== label || drafts.has(label)) return;
    const next = session.placements.find(isOpen);
    if (next !== undefined) this.select(next.camera);
  }

  // --- the session itself ---

  /** Change its texts or its master, of the version that a person saw. */
  change(changed, version) {
    const path = `/sessions/${part(this.id)}`;
    return this.#changes.make(() => ask(path, { method: "PATCH", body: changed, etag: `"${version}"` }));
  }

  /** Forget the session, and with it what was not saved. */
  async forget() {
    await ask(`/sessions/${part(this.id)}`, { method: "DELETE" });
    this.#keep(new Map());
  }

  /** Ask the daemon for something of it, such as ("POST", "/line-up"), and load what came of that. */
  act(method, rest, body) {
    return this.#changes.make(() => ask(`/sessions/${part(this.id)}${rest}`, { method, body }));
  }

  /** Have a camera's footage looked at once more, however far that came. */
  tryAgain({ label, recording, path }) {
    if (recording !== null) return this.act("POST", `/cameras/${part(label)}/ingest`);
    return this.#changes.make(() => ask("/recordings", { method: "POST", body: { paths: [path] } }));
  }
}
