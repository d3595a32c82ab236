/** Footage that is sent to mtbsync's own folder, as a browser does not tell where a file lies. */

import { Refused, ask, part, say } from "./api.js";
import { count, percent } from "./format.js";
import { Store, html, useStore } from "./lib.js";

const VIDEO = [".mp4", ".mov", ".m4v", ".mkv", ".avi", ".mts", ".webm"];
const BESIDE = [".lrv", ".lrf", ".thm", ".gpx", ".fit"];
const AGAIN_MS = 5000;
const SILENT = 0;
/** So often a broken connection is taken up again before a person is told. */
const MOST_BREAKS = 3;
const NOTHING = { n_bytes: 0, length: null, is_whole: false };
/** For a file picker: what it offers. */
export const ACCEPTED = [...VIDEO, ...BESIDE].join(",");

const endsWith = (name, suffixes) => suffixes.some((suffix) => name.toLowerCase().endsWith(suffix));
export const isVideo = (name) => endsWith(name, VIDEO);
const pause = (wait_ms) => new Promise((resolve) => { setTimeout(resolve, wait_ms); });

/** A name for files that come to lie in one folder. */
export function newBatch() {
  return `${new Date().toISOString().slice(0, 10)}-${Math.random().toString(36).slice(2, 8)}`;
}

function stopped() {
  return new DOMException("Stopped.", "AbortError");
}

/**
 * What is being sent. `store` has {items}, each {key, batch, file, name, state: "waits" | "sent" | "known" | "failed",
 * isBegun (some of it may be there), share (of it that is sent), path (once it is there), error, onDrop (called where
 * it is cancelled before any of it was sent)}. It goes on while other pages are looked at.
 */
class Uploads {
  store = new Store({ items: [] });

  #isAtWork = false;
  #stop = null;
  #nMade = 0;

  /** Send these files, as one batch; those that are dropped together may belong together. Some of one that `isBegun`
   * may be there. Those in `refused` are not sent, and their sentences say why. `onDrop(file)` hears of what is
   * cancelled before any of it is sent. Gives what is wrong with the others. */
  add(files, { batch = newBatch(), isBegun = false, refused = new Map(), onDrop = () => {} } = {}) {
    const taken = files.filter(({ name }) => endsWith(name, VIDEO) || endsWith(name, BESIDE));
    const left = files.filter((file) => !taken.includes(file)).map(({ name }) => name);
    if (!taken.some(({ name }) => isVideo(name))) {
      return taken.length ? "Drop the videos together with what lies beside them."
        : "None of that is a video that mtbsync knows by its name.";
    }
    const begun = { batch, state: "waits", isBegun, share: 0, path: null, error: "" };
    const stateOf = (file) => (refused.has(file) ? { state: "failed", isBegun: true, error: refused.get(file) } : {});
    const items = taken.map((file) => (
      { ...begun, ...stateOf(file), key: ++this.#nMade, file, name: file.name, onDrop: () => onDrop(file) }));
    const isAnew = (other) => other.state === "failed" && other.batch === batch
      && items.some(({ name }) => name === other.name);
    this.store.set({ items: [...this.store.get().items.filter((other) => !isAnew(other)), ...items] });
    this.#work();
    return left.length ? `Left out, as no video and no track: ${left.join(", ")}.` : "";
  }

  /** Send no more; what is there already stays, and is made known. */
  cancel() {
    const { items } = this.store.get();
    this.store.set({ items: items.filter(({ state }) => state !== "waits") });
    this.#stop?.abort();
    for (const { state, share, onDrop } of items) if (state === "waits" && share === 0) onDrop();
  }

  /** Try once more what failed. */
  retry() {
    const failed = this.store.get().items.filter(({ state }) => state === "failed");
    for (const { key } of failed) this.#set(key, { state: "waits", error: "" });
    this.#work();
  }

  /** Say no more of what failed. */
  forget() {
    this.store.set({ items: this.store.get().items.filter(({ state }) => state !== "failed") });
  }

  #set(key, changed) {
    const { items } = this.store.get();
    this.store.set({ items: items.map((item) => (item.key === key ? { ...item, ...changed } : item)) });
  }

  async #work() {
    if (this.#isAtWork) return;
    this.#isAtWork = true;
    addEventListener("beforeunload", warn);
    const next = () => this.store.get().items.find(({ state }) => state === "waits");
    for (let item = next(); item; item = next()) {
      await this.#try(item, (signal) => this.#send(item, signal));
      const { batch } = item;
      const ofBatch = this.store.get().items.filter((other) => other.batch === batch);
      if (!ofBatch.some(({ state }) => state === "waits")) await this.#tell(ofBatch);
    }
    removeEventListener("beforeunload", warn);
    this.#isAtWork = false;
    const { items } = this.store.get();
    const known = items.filter(({ state, name }) => state === "known" && isVideo(name));
    if (known.length) say(`${count(known.length, "video")} added.`);
    this.store.set({ items: items.filter(({ state }) => state === "failed") });
  }

  async #try(item, work) {
    this.#stop = new AbortController();
    try {
      await work(this.#stop.signal);
    } catch (error) {
      if (error.name !== "AbortError") this.#set(item.key, { state: "failed", isBegun: true, error: error.message });
    }
    this.#stop = null;
  }

  async #send(item, signal) {
    const path = item.path ?? await send(item, signal, (share) => this.#set(item.key, { share }));
    this.#set(item.key, { state: "sent", share: 1, path });
  }

  /** Make a batch known, once all of it is there: chapters belong together. */
  async #tell(items) {
    const sent = items.filter(({ state }) => state === "sent");
    for (const item of sent) {
      await this.#try(item, async (signal) => {
        if (isVideo(item.name)) await makeKnown(item.path, signal);
        this.#set(item.key, { state: "known" });
      });
    }
  }
}

function warn(event) {
  event.preventDefault();
}

/**
 * Send what is not there yet of a file; what has come stays there over broken connections. `isBegun`: some of it may
 * have been sent before. Gives where it lies.
 */
async function send({ batch, file, isBegun }, signal, onShare) {
  const at = placeOf(batch, file.name);
  for (let nBreaks = 0; ; nBreaks += 1) {
    try {
      const there = isBegun || nBreaks > 0 ? await sentOf(batch, file.name, signal) : NOTHING;
      return there.is_whole ? there.path : (await sendRest(at, file, there.n_bytes, signal, onShare)).path;
    } catch (error) {
      if (error.status !== SILENT || nBreaks === MOST_BREAKS) throw error;
      await pause(AGAIN_MS);
      if (signal.aborted) throw stopped();
    }
  }
}

const placeOf = (batch, name) => `/uploads/${part(batch)}/${part(name)}`;

/** How much of a file is there: {n_bytes, length (of all of it; null where nothing is there), is_whole}. */
export function sentOf(batch, name, signal) {
  return ask(placeOf(batch, name), { signal }).catch(unlessNone);
}

function unlessNone(error) {
  if (error.status !== 404) throw error;
  return NOTHING;
}

/** `fetch` does not tell how much has been sent. */
function sendRest(at, file, offset, signal, onShare) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PATCH", `/api/v1${at}`);
    const headers = {
      "Content-Type": "application/octet-stream", "Upload-Offset": offset, "Upload-Length": file.size,
    };
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.addEventListener("progress", ({ loaded }) => onShare(file.size ? (offset + loaded) / file.size : 1));
    request.addEventListener("load", () => {
      if (request.status === 200) resolve(request.response);
      else reject(new Refused(request.status, request.response?.detail ?? `mtbsync answered with ${request.status}.`));
    });
    const why = `${file.name} could not be sent: it cannot be read any more, or mtbsync stopped.`;
    request.addEventListener("error", () => reject(new Refused(SILENT, why)));
    request.addEventListener("abort", () => reject(stopped()));
    signal.addEventListener("abort", () => request.abort());
    request.send(file.slice(offset));
  });
}

async function makeKnown(path, signal) {
  for (;;) {
    try {
      await ask("/recordings", { method: "POST", body: { paths: [path] }, signal });
      return;
    } catch (error) {
      // It is still being looked at.
      if (error.status !== 503) throw error;
      await pause(AGAIN_MS);
      if (signal.aborted) throw stopped();
    }
  }
}

export const uploads = new Uploads();

/** What is being sent, and what could not be, but for what is said elsewhere. */
export function Sending({ isSaid = () => false }) {
  const items = useStore(uploads.store, (state) => state.items);
  const failed = items.filter((item) => item.state === "failed" && !isSaid(item));
  const going = items.filter(({ state }) => state !== "failed");
  return html`
    ${going.length > 0 && html`<${Going} items=${going} />`}
    ${failed.length > 0 && html`<li class="now-failed">
      <ul>${failed.map(({ key, name, error }) => html`
        <li key=${key} class="bad">${error.includes(name) ? error : `${name}: ${error}`}</li>`)}</ul>
      <span class="acts"><button type="button" onClick=${() => uploads.retry()}>Try again</button>
        <button type="button" onClick=${() => uploads.forget()}>Leave it</button></span></li>`}`;
}

function Going({ items }) {
  const n_bytes = items.reduce((sum, { file }) => sum + file.size, 0);
  const n_sent = items.reduce((sum, { file, share }) => sum + share * file.size, 0);
  const share = n_bytes ? n_sent / n_bytes : 1;
  const now = items.find(({ state }) => state === "waits");
  return html`
    <li class="now">
      <progress value=${share} aria-label="Adding footage"></progress>
      <span>${now ? `Copying ${now.name}` : "Looking at what was added"}${" "}
        <span class="quiet number">${percent(share)} of ${count(items.length, "file")}, ${size(n_bytes)}</span></span>
      <button type="button" aria-label="Cancel: adding footage" onClick=${() => uploads.cancel()}>Cancel</button></li>`;
}

function size(n_bytes) {
  return n_bytes < 1e9 ? `${(n_bytes / 1e6).toFixed(1)} MB` : `${(n_bytes / 1e9).toFixed(1)} GB`;
}
