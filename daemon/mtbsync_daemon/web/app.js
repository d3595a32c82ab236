"use strict";

const VERDICTS = { accept: "Lined up", review: "Lined up, waits for your review", reject: "Fits no trail for certain" };
const KINDS = {
  probe: "Looking at", index: "Learning the trail of", sync: "Lining up",
  transfer: "Carrying markers over to", deliver: "Writing files for",
};
const PAUSE_MS = 200;
const at = (id) => document.getElementById(id), part = encodeURIComponent;
let [running, names] = [new Map(), new Map()];
let [shown, waiting, refused] = [50, null, null];

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

function complain(error) {
  at("complaint").hidden = !error;
  at("complaint").textContent = error?.message ?? "";
}

function button(text, act, about) {
  const made = element("button", text);
  made.type = "button";
  made.setAttribute("aria-label", `${text}: ${about}`);
  made.addEventListener("click", () => act().then(() => { complain(null); loadSoon(); }, complain));
  return made;
}

async function decide(seen, word) {
  const path = `/syncs/${part(seen.id)}`;
  const now = await ask(path);
  if (now.version !== seen.version) throw new Error("It has changed meanwhile; look at it again.");
  return ask(path, "PATCH", word, now.etag);
}

async function all(path, name, atMost) {
  const found = [];
  let cursor = "";
  do {
    const limit = Math.min(200, atMost - found.length);
    const page = await ask(`${path}${path.includes("?") ? "&" : "?"}limit=${limit}${cursor && `&cursor=${part(cursor)}`}`);
    found.push(...page[name]);
    cursor = page.next_cursor;
  } while (cursor && found.length < atMost);
  return [found, cursor];
}

/** The jobs whose kind was not done since, by recording; those of files that became none are told of elsewhere. */
async function failures() {
  const [failed] = await all("/jobs?state=failed", "jobs", 1000);
  const ids = [...new Set(failed.map((job) => job.recording))].filter((id) => names.has(id));
  const endedLast = (one, other) => (other.ended_at ?? Infinity) - (one.ended_at ?? Infinity) || 0;
  return new Map(await Promise.all(ids.map(async (id) => {
    const { jobs } = await ask(`/jobs?recording=${part(id)}&limit=200`);
    const last = Object.keys(KINDS).map((kind) => jobs.filter((job) => job.kind === kind).sort(endedLast)[0]);
    return [id, last.filter((job) => job?.state === "failed")];
  })));
}

function verdict(sync) {
  if (!sync) return element("span", "Not compared with any trail yet", "quiet");
  if (sync.state === "cancelled") return element("span", sync.error, "quiet");
  if (sync.state === "failed") return element("span", "Could not be lined up", "failed");
  if (sync.state !== "done") return element("span", sync.state === "running" ? "Being lined up" : "Waits its turn", "quiet");
  if (sync.accepted && sync.verdict !== "accept") return element("span", "Lined up, accepted by you", "accept");
  return element("span", VERDICTS[sync.verdict], sync.verdict);
}

function chooser(recording, trails) {
  const [label, select] = [element("label", "Line it up with "), element("select")];
  for (const trail of trails.values()) select.append(new Option(trail.name, trail.id));
  label.append(select);
  const group = element("span", "", "acts");
  group.append(label, button("Line it up", () => ask("/syncs", "POST", { recording: recording.id, trail: select.value }), recording.name));
  return group;
}

function facts(recording) {
  const [began, s] = [new Date(recording.created_utc ?? recording.added_at * 1000), Math.round(recording.duration_s)];
  const when = began.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const length = `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")} min`;
  return [when, length, ...(recording.files.length > 1 ? [`${recording.files.length} files`] : [])].join(" · ");
}

function recordingItem(recording, trails, files, failed) {
  const { sync, name } = recording;
  const [item, acts] = [element("li"), element("p", "", "acts")];
  const title = element("h3", name);
  title.title = recording.files.map((file) => file.path).join("\n");
  const trail = trails.get(recording.trail ?? sync?.trail);
  item.append(title, " ");
  if (recording.is_reference) item.append(element("span", `Reference of trail ${trail?.name ?? ""}`, "quiet"));
  else item.append(verdict(sync), element("span", trail ? ` on ${trail.name}` : "", "quiet"));
  item.append(element("p", facts(recording), "quiet small"));
  for (const job of failed) {
    item.append(element("p", job.error, "failed"));
    acts.append(button("Try again", () => ask(`/jobs/${part(job.id)}/retry`, "POST"), job.error));
  }
  if (!recording.is_reference && (!sync || ["done", "cancelled"].includes(sync.state)) && !sync?.accepted) {
    if (sync?.state === "done") for (const reason of sync.reasons) item.append(element("p", reason));
    if (sync?.state === "done" && sync.verdict === "review") acts.append(button("Trust it", () => decide(sync, { accepted: true }), name));
    if (trails.size) acts.append(chooser(recording, trails));
    if (sync?.state === "done") acts.append(button("Not a ride of a trail", () => decide(sync, { dismissed: true }), name));
    if (!sync?.trail) acts.append(button("Make it a trail's reference", () => ask("/trails", "POST", { recording: recording.id }), name));
  }
  for (const file of files) {
    const link = element("a", file.format);
    link.href = `/api/v1/exports/${part(file.id)}/file`;
    link.title = [file.path, ...file.losses].join("\n");
    acts.append(link);
  }
  item.append(acts);
  return item;
}

function nextStep(folders, trails, recordings) {
  const paths = folders.map((folder) => folder.path).join(", ");
  if (!folders.length && !recordings.length) return "Nothing is watched yet. Name the folder that your footage lands in, as path = '…' under [[folder]] in the settings file that `mtbsync serve` named when it started; that counts at once, and your rides turn up here.";
  if (!recordings.length) return `No recordings yet. Copy a ride to ${paths}; it turns up here once it has been looked at.`;
  if (!trails.length) return "There is no trail yet. Make the ride that you have put markers on a trail's reference, with `mtbsync trail add REF.MP4 --markers markers.csv` or, without markers, here.";
  return "";
}

/** Only what is not as it was is made anew, so that nobody is thrown out of a list that they choose from. */
function fill(list, entries) {
  const old = new Map([...list.children].map((item) => [item.dataset.key, item]));
  const items = entries.map(([about, make]) => {
    const key = JSON.stringify(about);
    const item = old.get(key) ?? make();
    item.dataset.key = key;
    return item;
  });
  for (const item of old.values()) if (!items.includes(item)) item.remove();
  items.forEach((item, k) => { if (list.children[k] !== item) list.insertBefore(item, list.children[k] ?? null); });
}

function showJobs() {
  const items = [...running.values()].map((job) => {
    const item = element("li");
    const bar = element("progress");
    if (job.progress?.done != null) bar.value = job.progress.done;
    const about = `${KINDS[job.kind]} ${names.get(job.recording) ?? "new footage"}`;
    bar.setAttribute("aria-label", about);
    item.append(bar, about, element("span", ` ${job.progress?.stage ?? ""}`, "quiet"));
    return item;
  });
  at("working-now").hidden = !items.length;
  at("jobs").replaceChildren(...items);
}

async function loadRefused() {
  // A share that hangs holds up this answer and nothing else, so it is asked for once at a time.
  if (refused) return;
  refused = ask("/refused-files").finally(() => { refused = null; });
  const { files } = await refused;
  at("no-recordings").hidden = files.length === 0;
  fill(at("refused-files"), files.map((file) => [file, () => {
    const item = element("li", file.reason);
    item.append(element("p", file.path, "quiet small"));
    return item;
  }]));
}

async function load() {
  const [[recordings, more], [trails], [files], jobs, health, watched] = await Promise.all([
    all("/recordings", "recordings", shown), all("/trails", "trails", Infinity), all("/exports", "exports", 1000),
    ask("/jobs?state=running"), ask("/health"), ask("/folders"),
  ]);
  names = new Map(recordings.map((recording) => [recording.id, recording.name]));
  const failed = await failures();
  const byId = new Map(trails.map((trail) => [trail.id, trail]));
  fill(at("recordings"), recordings.map((r) => {
    const [own, wrong] = [files.filter((file) => file.recording === r.id), failed.get(r.id) ?? []];
    return [[r, trails.map((trail) => trail.name), own, wrong], () => recordingItem(r, byId, own, wrong)];
  }));
  at("more").hidden = !more;
  at("next").textContent = nextStep(watched.folders, trails, recordings);
  at("next").hidden = !at("next").textContent;
  at("health").textContent = health.reasons.length ? "Something needs a look." : "All is well.";
  at("reasons").hidden = !health.reasons.length;
  at("reasons").replaceChildren(...health.reasons.map((reason) => element("li", reason)));
  running = new Map(jobs.jobs.map((job) => [job.id, job]));
  showJobs();
}

function loadSoon() {
  waiting ??= setTimeout(() => {
    waiting = null;
    for (const loading of [load(), loadRefused()]) loading.catch(complain);
  }, PAUSE_MS);
}

const happens = new EventSource("/api/v1/events");
for (const name of ["change", "reload"]) happens.addEventListener(name, loadSoon);
happens.addEventListener("open", () => { complain(null); loadSoon(); });
happens.addEventListener("error", () => complain(new Error("mtbsync is not running, or this page is too old: `mtbsync status --open` opens it again.")));
happens.addEventListener("progress", (event) => {
  const told = JSON.parse(event.data);
  if (running.has(told.job)) running.get(told.job).progress = told;
  showJobs();
});
at("more").addEventListener("click", () => { shown += 50; loadSoon(); });
