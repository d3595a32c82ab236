/** What the library holds, as far as a person has looked: loaded in pieces, and kept as it is now. */

import { all, ask, complain, onEvent, part } from "./api.js";
import { Changes, Loads } from "./changes.js";
import { Store, debounced } from "./lib.js";

const PAGE = 50;
const PAUSE_MS = 150;
const MOST_EXPORTS = 2000;
/** So many jobs that wait are counted, and no more. */
export const MOST_QUEUED = 200;
const ALL = { show: "all", q: "", trail: "" };

/** Whether a person has to look at a run: it is not certain, or some of its markers are not. */
export function waits({ is_reference, sync, markers }) {
  if (is_reference || sync?.state === "cancelled") return false;
  return (sync?.state === "done" && !sync.accepted) || markers.n_to_review > 0;
}

const newestFirst = (one, other) => other.added_at - one.added_at || (one.id < other.id ? -1 : 1);

/**
 * The library. `store` has {recordings (by id), listed (ids that the filter leaves, as far as loaded; null before),
 * isAll (nothing is left to load), waiting (ids), filter {show, q, trail (an id, or "")}, trails (by id), running (jobs
 * by id), nQueued, exports (of each recording), folders (null before they are loaded), refused}.
 */
export class Library {
  store = new Store({
    recordings: new Map(), listed: null, isAll: false, waiting: [], filter: ALL, trails: new Map(), running: new Map(),
    nQueued: 0, exports: new Map(), folders: null, refused: [],
  });

  #end = null;
  #cursor = "";
  #nAsked = 0;
  // The number of what is shown, as it was asked for: of each recording and its exports, and of "jobs" and "head".
  #shown = new Map();
  #listing = { asked: 0, done: null };
  #stale = [];
  #soon = debounced(() => this.#catchUp().catch(complain), PAUSE_MS);
  #trails = new Loads(() => this.#loadTrails());
  #folders = new Loads(() => this.#loadFolders());
  #changes = new Changes(() => this.#folders.now());

  /** Load what is there now, and follow what happens. */
  open() {
    this.#end = onEvent((happened) => this.#happened(happened));
    this.reload();
  }

  /** Follow no more; what was loaded stays until it is opened again. */
  close() {
    this.#end();
  }

  reload() {
    // What is seen first is asked for first; what waits comes with the list, so that nothing jumps.
    const first = [this.#list(this.#waiting()), this.#trails.now(), this.#folders.now()];
    Promise.all(first).then(() => Promise.all([this.#jobs(), this.#exports(), this.#refused()])).catch(complain);
  }

  /** Show what `changed` of the filter leaves. */
  filter(changed) {
    this.store.set({ filter: { ...this.store.get().filter, ...changed }, listed: null });
    this.#list().catch(complain);
  }

  showAll() {
    this.filter(ALL);
  }

  /** Load the next piece of the list. */
  async more() {
    const { listed, isAll, filter } = this.store.get();
    if (listed === null || isAll) return;
    const asked = ++this.#nAsked;
    const cursor = this.#cursor;
    const { recordings, next_cursor } = await this.#page(cursor);
    // The list may have become longer at its head meanwhile; it is another where its end is not that any more.
    const now = this.store.get();
    if (now.filter !== filter || now.listed === null || this.#cursor !== cursor) return;
    this.#put(recordings, asked, joined(now.listed, recordings.map(({ id }) => id)), next_cursor);
  }

  /** Load one recording anew, as after it was changed. */
  async refresh(id) {
    const asked = ++this.#nAsked;
    const found = await ask(`/recordings/${part(id)}`).catch(unlessGone);
    if (found) this.#put([found], asked);
    else if (this.#isNews(id, asked)) this.#drop(id);
  }

  /** Change which folders are watched: `rest` of the address and `body` say how. */
  changeFolders(rest, body) {
    return this.#changes.make(() => ask(`/folders${rest}`, { method: "POST", body }));
  }

  // --- loading ---

  #page(cursor, limit = PAGE) {
    const { show, q, trail } = this.store.get().filter;
    const query = new URLSearchParams({ show, limit });
    if (q) query.set("q", q);
    if (trail) query.set("trail", trail);
    if (cursor) query.set("cursor", cursor);
    return ask(`/recordings?${query}`);
  }

  /** Load the list anew, shown once `before` is there; of several that are under way the last counts. */
  #list(before = null) {
    const asked = ++this.#nAsked;
    const done = this.#whole(asked, before);
    this.#listing = { asked, done };
    return done;
  }

  /** As much of the list as was loaded, and at least its first piece. */
  async #whole(asked, before) {
    const isLast = () => asked === this.#listing.asked;
    const found = [];
    const nLeft = () => Math.max(PAGE, this.store.get().listed?.length ?? 0) - found.length;
    let cursor = "";
    do {
      const page = await this.#page(cursor, Math.min(200, nLeft()));
      if (!isLast()) return;
      found.push(...page.recordings);
      cursor = page.next_cursor;
    } while (cursor && nLeft() > 0);
    await before;
    if (isLast()) this.#put(found, asked, found.map(({ id }) => id), cursor);
  }

  /** What is new at the head of the list. */
  async #head() {
    // One that is under way may be from before that.
    await this.#listing.done;
    const asked = ++this.#nAsked;
    const { filter } = this.store.get();
    const { recordings } = await this.#page("");
    const { listed, filter: now } = this.store.get();
    if (now !== filter || listed === null || !this.#isNews("head", asked)) return;
    this.#put(recordings, asked, joined(recordings.map(({ id }) => id), listed));
  }

  async #waiting() {
    const asked = ++this.#nAsked;
    this.#put(await all("/recordings?show=waiting", "recordings", 200), asked);
  }

  async #loadFolders() {
    this.store.set({ folders: (await ask("/folders")).folders });
  }

  async #loadTrails() {
    const trails = await all("/trails", "trails");
    this.store.set({ trails: new Map(trails.map((trail) => [trail.id, trail])) });
  }

  async #jobs() {
    const asked = ++this.#nAsked;
    const [running, queued] = await Promise.all(
      ["running", "queued"].map((state) => ask(`/jobs?state=${state}&limit=${MOST_QUEUED}`)),
    );
    if (!this.#isNews("jobs", asked)) return;
    this.store.set({ running: new Map(running.jobs.map((job) => [job.id, job])), nQueued: queued.jobs.length });
  }

  async #exports() {
    const asked = ++this.#nAsked;
    const found = await all("/exports", "exports", MOST_EXPORTS);
    const ids = new Set([...this.store.get().exports.keys(), ...found.map(({ recording }) => recording)]);
    this.#putExports(found, [...ids], asked);
  }

  async #exportsOf(id) {
    const asked = ++this.#nAsked;
    this.#putExports(await all(`/exports?recording=${part(id)}`, "exports"), [id], asked);
  }

  /** Show the exports of these recordings, which are among those `found`. */
  #putExports(found, ids, asked) {
    const exports = new Map(this.store.get().exports);
    const news = ids.filter((id) => this.#isNews(`exports of ${id}`, asked));
    for (const id of news) exports.set(id, found.filter(({ recording }) => recording === id));
    this.store.set({ exports });
  }

  async #refused() {
    this.store.set({ refused: (await ask("/refused-files")).files });
  }

  // --- what happens ---

  #happened(happened) {
    if (happened.kind === "progress") {
      this.#progressed(happened);
      return;
    }
    this.#stale.push(happened);
    this.#soon();
  }

  #progressed({ id, stage, done }) {
    const { running } = this.store.get();
    if (!running.has(id)) return;
    const job = { ...running.get(id), progress: { stage, done } };
    this.store.set({ running: new Map(running).set(id, job) });
  }

  /** Load what has changed, and nothing else. */
  async #catchUp() {
    const stale = this.#stale;
    this.#stale = [];
    const of = (...kinds) => new Set(stale.filter(({ kind }) => kinds.includes(kind)).map(({ id }) => id));
    const changed = of("recording", "markers", "exports");
    // A sync is called as the job that does it.
    const jobs = of("job", "sync");
    if (of("reload").size || jobs.size + changed.size > PAGE) {
      this.reload();
      return;
    }
    const loads = [];
    if (of("trail").size) loads.push(this.#trails.now());
    if (of("file").size) loads.push(this.#refused());
    if (jobs.size) {
      loads.push(this.#jobs());
      const rows = await Promise.all([...jobs].map((id) => ask(`/jobs/${part(id)}`).catch(unlessGone)));
      for (const job of rows) if (job?.recording) changed.add(job.recording);
    }
    for (const id of of("exports")) loads.push(this.#exportsOf(id));
    const { recordings } = this.store.get();
    if ([...changed].some((id) => !recordings.has(id))) loads.push(this.#head());
    for (const id of changed) if (recordings.has(id)) loads.push(this.refresh(id));
    await Promise.all(loads);
  }

  /** Whether nothing is shown of `what` that was asked for later; what came is shown then. */
  #isNews(what, asked) {
    if (asked < (this.#shown.get(what) ?? 0)) return false;
    this.#shown.set(what, asked);
    return true;
  }

  #put(found, asked, listed = this.store.get().listed, cursor = undefined) {
    const recordings = new Map(this.store.get().recordings);
    for (const recording of found) if (this.#isNews(recording.id, asked)) recordings.set(recording.id, recording);
    if (cursor !== undefined) this.#cursor = cursor;
    this.store.set({ recordings, listed, isAll: !this.#cursor, waiting: this.#waitingOf(recordings) });
  }

  #drop(id) {
    const recordings = new Map(this.store.get().recordings);
    recordings.delete(id);
    const listed = this.store.get().listed?.filter((other) => other !== id) ?? null;
    this.store.set({ recordings, listed, waiting: this.#waitingOf(recordings) });
  }

  /** The same array as before where it would hold the same, so that nothing is drawn again for nothing. */
  #waitingOf(recordings) {
    const { waiting } = this.store.get();
    const now = [...recordings.values()].filter(waits).sort(newestFirst).map(({ id }) => id);
    return now.length === waiting.length && now.every((id, k) => id === waiting[k]) ? waiting : now;
  }
}

/** What both hold, each once. */
function joined(ids, others) {
  return [...new Set([...ids, ...others])];
}

function unlessGone(error) {
  if (error.status !== 404) throw error;
  return null;
}

/** The job that a recording is being worked on by, if any. */
export function runningOf({ running }, id) {
  for (const job of running.values()) if (job.recording === id) return job;
  return undefined;
}
