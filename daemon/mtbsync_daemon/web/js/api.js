/** The daemon: asking it, hearing of what happens there, and telling a person what went wrong. */

import { Store } from "./lib.js";

const ROOT = "/api/v1";

/** One path segment, whatever it holds. */
export const part = encodeURIComponent;

/** What the daemon refused: `message` is for a person, `status` is HTTP's. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/**
 * Ask for `path` below /api/v1. With `body` it is sent as JSON; `etag` names the version that is changed ("*": any).
 * Gives the document; where it has an ETag, that is its property `etag`.
 */
export async function ask(path, { method = "GET", body, etag, signal } = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (etag !== undefined) headers["If-Match"] = etag;
  let answer;
  try {
    answer = await fetch(ROOT + path, { method, headers, body: body && JSON.stringify(body), signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "mtbsync does not answer. Is it still running? `mtbsync status` tells.");
  }
  const told = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, told.detail ?? `mtbsync answered with ${answer.status}.`);
  const named = answer.headers.get("ETag");
  return named === null ? told : { ...told, etag: named };
}

/** All of a list that comes in pages, at most `atMost` of them. */
export async function all(path, name, atMost = Infinity) {
  const found = [];
  let cursor = "";
  do {
    const limit = Math.min(200, atMost - found.length);
    const page = await ask(`${path}${path.includes("?") ? "&" : "?"}limit=${limit}${cursor && `&cursor=${part(cursor)}`}`);
    found.push(...page[name]);
    cursor = page.next_cursor;
  } while (cursor && found.length < atMost);
  return found;
}

/** What a person is told: `complaint` interrupts, `said` does not. */
export const notices = new Store({ complaint: "", said: "" });

/** Show what went wrong, until it is closed or something goes well. */
export function complain(error) {
  if (error?.name === "AbortError") return;
  if (!(error instanceof Refused)) console.error(error);
  notices.set({ complaint: error instanceof Refused ? error.message : "This page made a mistake; reload it." });
}

/** Say in passing what was done; screen readers read it. */
export function say(text) {
  notices.set({ said: text, complaint: "" });
}

/** Whether the daemon is heard of at present. */
export const connection = new Store({ isOpen: true });

const listeners = new Set();

/**
 * Hear of what happens. `listener` gets {kind: "recording" | "sync" | "markers" | "anchors" | "edits" | "trail" | "job" |
 * "export" | ..., id}, {kind: "progress", id, stage, done}, or {kind: "reload"} where something was missed.
 * Gives what ends that.
 */
export function onEvent(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(happened) {
  for (const listener of [...listeners]) listener(happened);
}

/** Begin to listen; once, when the page opens. */
export function listen() {
  const stream = new EventSource(`${ROOT}/events`);
  let wasOpen = false;
  stream.addEventListener("open", () => {
    connection.set({ isOpen: true });
    if (wasOpen) tell({ kind: "reload" });
    wasOpen = true;
  });
  stream.addEventListener("error", () => connection.set({ isOpen: false }));
  stream.addEventListener("change", (event) => tell(JSON.parse(event.data)));
  stream.addEventListener("reload", () => tell({ kind: "reload" }));
  stream.addEventListener("progress", (event) => {
    const { job, stage, done } = JSON.parse(event.data);
    tell({ kind: "progress", id: job, stage, done });
  });
}
