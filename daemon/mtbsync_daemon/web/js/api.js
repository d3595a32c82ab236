/** The daemon: asking it, hearing of what happens there, and telling a person what went wrong. */

import { Store } from "./lib.js";

const ROOT = "/api/v1";
const EVENTS = `${ROOT}/events`;
const PATIENCE_MS = 60_000;
/** When a stream of events that was refused is asked for again. */
const AGAIN_MS = 10_000;
/** How long a complaint stays when all is well again at once. */
const READ_MS = 3_000;
const SILENT = 0;
const TOO_MANY = 503;

/** One path segment, whatever it holds. */
export const part = encodeURIComponent;

/** What the daemon refused: `message` is for a person, `status` is HTTP's; 0 where it did not answer. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/**
 * Ask for `path` below /api/v1. With `body` it is sent as JSON; `etag` names the version that is changed ("*": any).
 * Who brings a `signal` waits until that; others for a minute.
 * Gives the document; where it has an ETag, that is its property `etag`.
 */
export async function ask(path, { method = "GET", body, etag, signal = AbortSignal.timeout(PATIENCE_MS) } = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (etag !== undefined) headers["If-Match"] = etag;
  let answer, told;
  try {
    answer = await fetch(ROOT + path, { method, headers, body: body && JSON.stringify(body), signal });
    told = await answer.json().catch(unlessCut);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(SILENT, error.name === "TimeoutError"
      ? "mtbsync has not answered for a minute. Close other pages of it where many are open, and try again."
      : "mtbsync does not answer. Is it still running? `mtbsync status` tells.");
  }
  if (!answer.ok) throw new Refused(answer.status, told.detail ?? `mtbsync answered with ${answer.status}.`);
  settle(SILENT);
  const named = answer.headers.get("ETag");
  return named === null ? told : { ...told, etag: named };
}

/** An answer that is no document says nothing, but one that did not arrive is none. */
function unlessCut(error) {
  if (error instanceof SyntaxError) return {};
  throw error;
}

/** All of a list that comes in pages, at most `atMost` of them. */
export async function all(path, name, atMost = Infinity) {
  const found = [];
  let cursor = "";
  do {
    const limit = Math.min(200, atMost - found.length);
    const which = `limit=${limit}${cursor && `&cursor=${part(cursor)}`}`;
    const page = await ask(`${path}${path.includes("?") ? "&" : "?"}${which}`);
    found.push(...page[name]);
    cursor = page.next_cursor;
  } while (cursor && found.length < atMost);
  return found;
}

/** What a person is told: `complaint` interrupts, `said` does not. `status` is that of what was refused last. */
export const notices = new Store({ complaint: "", said: "", status: null });

/** Show what went wrong, until it is closed or something goes well. */
export function complain(error) {
  if (error?.name === "AbortError") return;
  if (!(error instanceof Refused)) console.error(error);
  const isRefused = error instanceof Refused;
  notices.set({
    complaint: isRefused ? error.message : "This page made a mistake; reload it.",
    status: isRefused ? error.status : null,
  });
}

/** What was complained of with one of these is well again; who is to read it needs some time for that. */
function settle(...statuses) {
  const { complaint, status } = notices.get();
  if (!statuses.includes(status)) return;
  setTimeout(() => {
    const now = notices.get();
    if (now.complaint === complaint && now.status === status) notices.set({ complaint: "", status: null });
  }, READ_MS);
}

/** Say in passing what was done; screen readers read it. */
export function say(text) {
  notices.set({ said: text, complaint: "" });
}

/** Whether the daemon is heard of at present. */
export const connection = new Store({ isOpen: true });

const listeners = new Set();

/**
 * Hear of what happens. `listener` gets {kind: "recording" | "sync" | "markers" | "anchors" | "edits" | "trail" |
 * "job" | "export" | ..., id}, {kind: "progress", id, stage, done}, or {kind: "reload"} where something was missed.
 * Gives what ends that.
 */
export function onEvent(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(happened) {
  for (const listener of [...listeners]) listener(happened);
}

/** Begin to listen; once, when the page opens. A page that nobody sees does not, as browsers have few connections. */
export function listen() {
  let stream = null;
  let timer = 0;
  let hasMissed = document.hidden;
  const end = () => {
    clearTimeout(timer);
    stream?.close();
    hasMissed = true;
  };
  const begin = () => {
    stream = streamOf({
      onOpen: () => {
        connection.set({ isOpen: true });
        settle(SILENT, TOO_MANY);
        if (hasMissed) tell({ kind: "reload" });
        hasMissed = false;
      },
      onCut: () => {
        hasMissed = true;
        connection.set({ isOpen: false });
      },
      onRefused: () => {
        hasMissed = true;
        timer = setTimeout(begin, AGAIN_MS);
        tellWhy();
      },
    });
  };
  document.addEventListener("visibilitychange", () => {
    end();
    if (!document.hidden) begin();
  });
  if (!document.hidden) begin();
}

/** The stream of events. After `onCut` a browser opens it again by itself, after `onRefused` it does not. */
function streamOf({ onOpen, onCut, onRefused }) {
  const stream = new EventSource(EVENTS);
  stream.addEventListener("open", onOpen);
  stream.addEventListener("error", () => (stream.readyState === EventSource.CLOSED ? onRefused() : onCut()));
  stream.addEventListener("change", (event) => tell(JSON.parse(event.data)));
  stream.addEventListener("reload", () => tell({ kind: "reload" }));
  stream.addEventListener("progress", (event) => {
    const { job, stage, done } = JSON.parse(event.data);
    tell({ kind: "progress", id: job, stage, done });
  });
  return stream;
}

/** A browser does not say why a stream was refused: ask for it once more, and look. */
async function tellWhy() {
  const looked = new AbortController();
  const answer = await fetch(EVENTS, { signal: looked.signal }).catch(() => null);
  if (answer?.status === TOO_MANY) complain(new Refused(TOO_MANY, (await answer.json()).detail));
  else if (!answer?.ok) connection.set({ isOpen: false });
  looked.abort();
}
