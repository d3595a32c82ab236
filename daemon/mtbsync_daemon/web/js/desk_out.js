/** What goes out of mtbsync: files for editors, each with what it does not carry, and markers straight into Resolve. */

import { ask, complain, onEvent, part, say } from "./api.js";
import { Loads } from "./changes.js";
import { count, moment } from "./format.js";
import { debounced, html, useEffect, useMemo, useOnce, useRef, useState, useStore } from "./lib.js";

// A person who puts markers right does so one after the other.
const PAUSE_MS = 400;
const LOOK_MS = 2000;
// More sentences than these are folded away.
const N_SHOWN = 2;

const isActive = (job) => job.state === "queued" || job.state === "running";

/** Files for editors of the open run; nothing is asked for before a person opens it. */
export function Out({ run }) {
  const { recording } = useStore(run.store);
  const [isOpen, open] = useState(false);
  // A reference's markers are its trail's, and go out with the runs.
  if (recording.is_reference) return null;
  return html`
    <details class="section out" id="out" onToggle=${(event) => open(event.currentTarget.open)}>
      <summary><h2>Files out</h2>${" "}
        <span class="quiet small">for every editor, as one zip, or straight into DaVinci Resolve</span></summary>
      ${isOpen && html`<${Offered} run=${run} />`}
    </details>`;
}

function Offered({ run }) {
  const { recording, isReadOnly } = useStore(run.store);
  const [{ offers, problem }, write, jobs] = useOffers(run);
  if (problem) return html`<p class="quiet">${problem}</p>`;
  if (offers === null) return html`<p class="quiet" role="status">Looking at what each format carries …</p>`;
  const rows = (isUsual) => offers.offers.filter((offer) => offer.is_usual === isUsual).map((offer) => html`
    <${Offer} key=${offer.format} offer=${offer} job=${jobs[offer.format]} isReadOnly=${isReadOnly}
      onWrite=${() => write(offer.format)} />`);
  return html`
    <${Doubts} run=${run} />
    <h3 id="out-usual">Your usual formats</h3>
    <ul class="offers usual" aria-labelledby="out-usual">${rows(true)}</ul>
    <p class="quiet small">Files go into <code>${offers.folder}</code>. These are written again whenever you change
      markers, all others when you say so.</p>
    <${Resolve} run=${run} />
    <h3>Everything</h3>
    <p><a class="button" download href=${`/api/v1/recordings/${part(recording.id)}/exports.zip`}>Everything as a zip</a>
      <span class="quiet small"> every format, and a list of what each does not carry</span></p>
    <h3 id="out-others">Every other format</h3>
    <ul class="offers" aria-labelledby="out-others">${rows(false)}</ul>`;
}

/** The offers of a run as its markers are now, what writes one of them, and the jobs that do, by format. */
function useOffers(run) {
  const [found, set] = useState({ offers: null, problem: "" });
  const [jobs, setJobs] = useState({});
  const newest = useRef(0);
  // What is heard of a job may come before the page is drawn anew.
  const known = useRef(jobs);
  const note = (format, job) => {
    known.current = { ...known.current, [format]: job };
    setJobs(known.current);
  };

  const load = async () => {
    const mine = ++newest.current;
    const next = await ask(`/recordings/${part(run.id)}/offers`).then(
      (offers) => ({ offers, problem: "" }),
      (error) => {
        if (error.status !== 409) throw error;
        return { offers: null, problem: error.message };
      },
    );
    if (mine === newest.current) set(next);
  };

  const look = async (format, id) => {
    const job = await ask(`/jobs/${part(id)}`);
    if (!isActive(job)) await load();
    note(format, job);
    if (job.state === "done") say(`${format} is written.`);
  };

  // Once at a time: what was asked before a job ended may come after that was heard of.
  const looks = useMemo(() => new Loads(() => {
    const active = Object.entries(known.current).filter(([, job]) => isActive(job));
    return Promise.all(active.map(([format, { id }]) => look(format, id)));
  }), [run]);

  useEffect(() => {
    const soon = debounced(() => load().catch(complain), PAUSE_MS);
    load().catch(complain);
    const end = onEvent(({ kind, id, stage, done }) => {
      if (kind === "reload" || (id === run.id && (kind === "markers" || kind === "exports"))) soon();
      for (const [format, job] of Object.entries(known.current)) {
        if (!isActive(job) || (job.id !== id && kind !== "reload")) continue;
        if (kind === "progress") note(format, { ...job, progress: { stage, done } });
        else looks.now().catch(complain);
      }
    });
    return () => {
      end();
      soon.cancel();
    };
  }, [run]);

  const write = async (format) => {
    const body = { recording: run.id, formats: [format] };
    const { job: id } = await ask("/exports", { method: "POST", body });
    // From now on what happens to it is heard.
    note(format, { id, state: "queued", progress: null });
    await looks.now();
  };
  return [found, (format) => write(format).catch(complain), jobs];
}

/** What a person should know of the markers before they leave. */
function Doubts({ run }) {
  const { sync, markers } = useStore(run.store);
  const n = markers.filter((m) => m.state === "found" && m.needs_review && m.t_s !== null).length;
  const isUntrusted = sync?.verdict === "review" && !sync.accepted;
  if (!isUntrusted && n === 0) return null;
  return html`
    <div class="notice" role="note">
      ${isUntrusted && html`<p>Nobody has said yet that this run lies right on its trail: look at it above, and trust it,
        first.</p>`}
      ${n > 0 && html`
        <p>${count(n, "marker")} ${n === 1 ? "waits" : "wait"} for your review; in files they say CHECK.</p>`}
    </div>`;
}

function Offer({ offer, job, isReadOnly, onWrite }) {
  const isBusy = job !== undefined && isActive(job);
  return html`
    <li class="offer" data-format=${offer.format}>
      <div class="about">
        <p class="name">${offer.description[0].toUpperCase() + offer.description.slice(1)}${" "}
          <code class="quiet">${offer.format}</code></p>
        ${offer.problem
          ? html`<p class="small bad">Cannot be written: ${offer.problem}</p>`
          : html`<${Losses} losses=${offer.losses} />`}
        ${offer.written.map((file) => html`<p key=${file.id} class="small file">
          <a download href=${`/api/v1/exports/${part(file.id)}/file`}>Download ${nameOf(file.path)}</a>
          <span class="quiet"> written ${moment(file.written_at)} to <code>${file.path}</code></span></p>`)}
        ${job?.error && html`<p class="small bad" role="alert">${job.error}</p>`}
      </div>
      ${!offer.problem && !isReadOnly && html`
        <div class="act">
          ${isBusy && html`<progress value=${job.progress?.done} aria-label=${`Writing ${offer.format}`}></progress>`}
          <button type="button" class=${offer.is_usual ? "main" : null} disabled=${isBusy} onClick=${onWrite}
            aria-label=${`Write ${offer.format}`}>${isBusy ? "Writing …" : "Write"}</button>
        </div>`}
    </li>`;
}

function Losses({ losses }) {
  const item = (loss) => html`<li key=${loss}>${loss}</li>`;
  if (losses.length === 0) return html`<p class="small good">Carries everything.</p>`;
  const n_shown = losses.length > N_SHOWN + 1 ? N_SHOWN : losses.length;
  return html`
    <ul class="losses small quiet" aria-label="Not carried">${losses.slice(0, n_shown).map(item)}</ul>
    ${n_shown < losses.length && html`<details class="small quiet">
      <summary>and ${losses.length - n_shown} more</summary>
      <ul class="losses" aria-label="Not carried either">${losses.slice(n_shown).map(item)}</ul></details>`}`;
}

const nameOf = (path) => path.split(/[\\/]/).at(-1);

const STATES = { waiting: "Waiting for DaVinci Resolve …", doing: "DaVinci Resolve puts them there …" };

/** Markers straight into the timeline that is open in DaVinci Resolve. */
function Resolve({ run }) {
  const { isReadOnly } = useStore(run.store);
  const [link, set] = useState(null);
  const look = () => ask("/resolve").then(set);
  useEffect(() => {
    look().catch(complain);
    // Only the script in Resolve knows when it is gone, and it cannot say so. That nobody answers is told elsewhere.
    const timer = setInterval(() => look().catch(() => {}), LOOK_MS);
    return () => clearInterval(timer);
  }, []);
  if (link === null) return null;
  const sent = link.requests.find((request) => request.recording === run.id);
  const send = useOnce(() => ask("/resolve/requests", { method: "POST", body: { recording: run.id } })
    .then(look).catch(complain));
  return html`
    <h3>DaVinci Resolve</h3>
    <div class="acts">
      ${!isReadOnly && html`<button type="button" disabled=${!link.is_connected} aria-describedby="out-resolve"
        onClick=${send}>Send to Resolve</button>`}
      <p id="out-resolve" class="small">${link.is_connected
        ? html`<span class="good">Connected.</span> ${openTimeline(link)}`
        : html`<span class="quiet">Not connected. In Resolve, choose <b>Workspace > Scripts > mtbsync > Stay connected
          to mtbsync</b>; if that is not there, run <code>mtbsync resolve install</code> once. Where Resolve runs no
          Python, take the file <code>resolve-edl</code>.</span>`}</p>
    </div>
    <p role="status" class=${`small ${sent?.state === "failed" ? "bad" : ""}`}>
      ${sent && (STATES[sent.state] ?? sent.said)}</p>`;
}

function openTimeline({ timeline }) {
  if (timeline === null) return "No timeline is open there.";
  return html`Markers go to the timeline that is open: <b>${timeline}</b>.`;
}
