"use strict";

const VERDICTS = {
  accept: "Lined up",
  review: "Lined up, waits for your review",
  reject: "Fits no trail",
};
const KINDS = {
  probe: "Looking at", index: "Learning the trail of", sync: "Lining up",
  transfer: "Carrying markers over to", deliver: "Writing files for",
};
const PAUSE_MS = 200;
const at = (id) => document.getElementById(id);
const running = new Map();
let shown = 50;
let waiting = null;

function element(name, text = "", kind = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

async function ask(path, method = "GET", body = undefined, etag = "*") {
  const headers = body ? { "Content-Type": "application/json", "If-Match": etag } : {};
  const answer = await fetch(`/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  const told = await answer.json();
  if (!answer.ok) throw new Error(told.detail);
  return method === "GET" && answer.headers.get("ETag") ? { ...told, etag: answer.headers.get("ETag") } : told;
}

const complain = (error) => { at("health").textContent = error.message; };

function button(text, act) {
  const made = element("button", text);
  made.type = "button";
  made.addEventListener("click", () => act().then(loadSoon, complain));
  return made;
}

async function trust(seen) {
  const path = `/syncs/${encodeURIComponent(seen.id)}`;
  const now = await ask(path);
  if (now.version !== seen.version) throw new Error("It has changed meanwhile; look at it again.");
  return ask(path, "PATCH", { accepted: true }, now.etag);
}

async function all(path, name, atMost) {
  const found = [];
  let cursor = "";
  do {
    const limit = Math.min(200, atMost - found.length);
    const page = await ask(`${path}?limit=${limit}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    found.push(...page[name]);
    cursor = page.next_cursor;
  } while (cursor && found.length < atMost);
  return [found, cursor];
}

function verdict(sync) {
  if (sync.state === "failed") return element("span", sync.error, "failed");
  if (sync.state !== "done") return element("span", sync.state === "running" ? "Being lined up" : "Waits", "quiet");
  if (sync.accepted && sync.verdict !== "accept") return element("span", "Lined up, accepted by you", "accept");
  return element("span", VERDICTS[sync.verdict], sync.verdict);
}

function recordingItem(recording, trails, files) {
  const item = element("li");
  item.append(element("h3", recording.name));
  const trail = trails.get(recording.trail ?? recording.sync?.trail);
  if (recording.is_reference) item.append(element("span", `Reference of trail ${trail?.name ?? ""}`, "quiet"));
  else if (recording.sync) item.append(verdict(recording.sync));
  else item.append(element("span", "Not compared with any trail yet", "quiet"));
  if (!recording.is_reference && trail) item.append(element("span", ` on ${trail.name}`, "quiet"));
  if (recording.sync?.reasons.length) item.append(element("p", recording.sync.reasons.join(" "), "quiet"));
  if (recording.sync?.verdict === "review" && recording.sync.state === "done" && !recording.sync.accepted) {
    item.append(button("Trust it", () => trust(recording.sync)));
  }
  if (!recording.is_reference && !recording.sync?.trail) {
    item.append(button("Make it a trail's reference", () => ask("/trails", "POST", { recording: recording.id })));
  }
  if (files.length) {
    const links = element("p");
    for (const file of files) {
      const link = element("a", file.format);
      link.href = `/api/v1/exports/${encodeURIComponent(file.id)}/file`;
      link.title = [file.path, ...file.losses].join("\n");
      links.append(link);
    }
    item.append(links);
  }
  return item;
}

function emptyText(folders, trails) {
  if (!folders.length) return "No folder is watched yet. Add one to mtbsync's settings, and footage that lands there turns up here.";
  const names = folders.map((folder) => folder.path).join(", ");
  return trails.length ? `No recordings yet. Copy footage to ${names}.`
    : `No recordings yet. Copy a ride that you have put markers on to ${names}, and make it the reference of a trail.`;
}

function showJobs(names) {
  const items = [...running.values()].map((job) => {
    const item = element("li");
    const bar = element("progress");
    if (job.progress?.done != null) bar.value = job.progress.done;
    const about = `${KINDS[job.kind]} ${names.get(job.recording) ?? "new footage"}`;
    bar.setAttribute("aria-label", about);
    item.append(bar, about, element("span", ` ${job.progress?.stage ?? ""}`, "quiet"));
    return item;
  });
  at("jobs").replaceChildren(...(items.length ? items : [element("li", "Nothing.", "quiet")]));
}

let names = new Map();
async function load() {
  const [[recordings, more], [trails], [files], jobs, health, watched, refused] = await Promise.all([
    all("/recordings", "recordings", shown), all("/trails", "trails", Infinity), all("/exports", "exports", 1000),
    ask("/jobs?state=running"), ask("/health"), ask("/folders"), ask("/refused-files"),
  ]);
  const byId = new Map(trails.map((trail) => [trail.id, trail]));
  const own = (recording) => files.filter((file) => file.recording === recording.id);
  names = new Map(recordings.map((recording) => [recording.id, recording.name]));
  at("recordings").replaceChildren(...recordings.map((r) => recordingItem(r, byId, own(r))));
  at("more").hidden = !more;
  at("empty").hidden = recordings.length > 0;
  at("empty").textContent = emptyText(watched.folders, trails);
  at("no-recordings").hidden = refused.files.length === 0;
  at("refused-files").replaceChildren(...refused.files.map((f) => element("li", `${f.path}: ${f.reason}`)));
  at("health").textContent = health.reasons.join(" ") || "All is well.";
  running.clear();
  for (const job of jobs.jobs) running.set(job.id, job);
  showJobs(names);
}

function loadSoon() {
  waiting ??= setTimeout(() => {
    waiting = null;
    load().catch(complain);
  }, PAUSE_MS);
}

const happens = new EventSource("/api/v1/events");
happens.addEventListener("change", loadSoon);
happens.addEventListener("reload", loadSoon);
happens.addEventListener("open", loadSoon);
happens.addEventListener("error", () => { at("health").textContent = "mtbsync is not running, or this page is too old: open it again."; });
happens.addEventListener("progress", (event) => {
  const told = JSON.parse(event.data);
  const job = running.get(told.job);
  if (!job) return;
  job.progress = told;
  showJobs(names);
});
at("more").addEventListener("click", () => { shown += 50; loadSoon(); });
