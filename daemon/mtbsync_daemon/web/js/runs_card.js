/** One recording in the list, with all that can be done with it there. */

import { ask, complain, part, say } from "./api.js";
import { decide, lineUp, verdictOf } from "./desk_verdict.js";
import { clock, count, percent, when } from "./format.js";
import { html, useOnce, useState, useStore } from "./lib.js";
import { Still } from "./runs_still.js";
import { runningOf, waits } from "./runs_store.js";

export const KINDS = {
  probe: "Looking at", index: "Learning the trail of", sync: "Lining up", transfer: "Carrying markers over to",
  deliver: "Writing files for", light: "Making a light copy of", ingest: "Taking in", line_up: "Lining up the cameras of",
  transcode: "Making copies of",
};

function Picture({ recording, href }) {
  return html`<a class="run-picture" href=${href} tabindex="-1" aria-hidden="true"><${Still}
    source=${`/api/v1/recordings/${part(recording.id)}/picture`} /></a>`;
}

/** Do it. Where what was pressed has gone with that, the next run that waits has the focus. */
async function carryOut(act) {
  await act().catch(complain);
  requestAnimationFrame(() => {
    if (document.activeElement !== document.body) return;
    const waiting = [...document.querySelectorAll(".run-waits h3 a")];
    const next = waiting.find((link) => link.getBoundingClientRect().bottom > 0);
    (next ?? document.getElementById("runs-title"))?.focus();
  });
}

/** A button that does something, once at a time. */
function Act({ text, about, act }) {
  // Not `disabled`, which would take the focus away.
  const go = useOnce(() => carryOut(act));
  return html`<button type="button" aria-label=${`${text}: ${about}`} onClick=${go}>${text}</button>`;
}

/** The trails in a select, by their ids. */
export function TrailOptions({ trails }) {
  return [...trails.values()].map(({ id, name }) => html`<option key=${id} value=${id}>${name}</option>`);
}

function Facts({ recording, trail }) {
  const { files, duration_s } = recording;
  return html`<p class="quiet small">${when(recording)} · <span class="number">${clock(duration_s)}</span>
    ${files.length > 1 && ` · ${count(files.length, "file")}`}
    ${trail && !recording.is_reference && html` · on <a href=${`#/trail/${part(trail.id)}`}>${trail.name}</a>`}</p>`;
}

function Markers({ recording, href }) {
  const { n, n_to_review } = recording.markers;
  if (n === 0) return null;
  if (n_to_review === 0) return html`<span class="quiet small"> · ${count(n, "marker")}</span>`;
  return html` · <a href=${href}>${n_to_review} of ${count(n, "marker")} to review</a>`;
}

/** Where a job stands, in words. */
export function stageOf({ progress }) {
  if (progress === null) return "";
  return progress.done === null ? progress.stage : `${progress.stage} ${percent(progress.done)}`;
}

function Job({ job }) {
  return html`<p class="run-job small">
    <progress value=${job.progress?.done ?? undefined} aria-label=${KINDS[job.kind]}></progress>
    <span class="quiet number">${stageOf(job)}</span></p>`;
}

function Troubles({ recording, library, isReadOnly }) {
  const again = async (trouble) => {
    await ask(`/jobs/${part(trouble.job)}/retry`, { method: "POST" });
    await library.refresh(recording.id);
  };
  return recording.troubles.map((trouble) => html`
    <div class="run-trouble" key=${trouble.job}>
      <p class=${trouble.is_tried_again ? "" : "bad"}>${trouble.error}</p>
      ${trouble.is_tried_again ? html`<p class="quiet small">It is tried again by itself.</p>`
        : !isReadOnly && html`<${Act} text="Try again" about=${recording.name} act=${() => again(trouble)} />`}
    </div>`);
}

async function makeReference({ id, name, markers }, trailName, library) {
  const warning = `${name} has ${count(markers.n, "marker")} of another trail; as a reference it begins without any. `
    + "Make it the reference of a new trail?";
  if (markers.n > 0 && !confirm(warning)) return;
  await ask("/trails", { method: "POST", body: { recording: id, name: trailName } });
  await library.refresh(id);
  say(`${name} is the reference of ${trailName} now; runs are compared with it.`);
}

/** Decide on the sync that the card shows. */
async function judge(recording, word, library) {
  await decide(recording, recording.sync, word);
  await library.refresh(recording.id);
}

function Choices({ recording, library }) {
  const trails = useStore(library.store, ({ trails }) => trails);
  const { sync, name } = recording;
  const [trail, choose] = useState("");
  const [trailName, call] = useState(name.replace(/\.[^.]*$/, ""));
  const go = useOnce(carryOut);
  const submit = (act) => (event) => {
    event.preventDefault();
    go(act);
  };
  const lineItUp = () => lineUp(recording, trails.get(trail)).then(() => library.refresh(recording.id));
  return html`
    ${trails.size > 0 && html`<form class="acts" onSubmit=${submit(lineItUp)}>
      <label>Line it up with <select value=${trail} onChange=${(event) => choose(event.target.value)}>
        <option value="">whichever trail fits</option><${TrailOptions} trails=${trails} /></select></label>
      <button aria-label=${`Line it up: ${name}`}>Line it up</button></form>`}
    <form class="acts" onSubmit=${submit(() => makeReference(recording, trailName, library))}>
      <label>Make it the reference of a new trail called <input value=${trailName} required maxlength="200"
        onInput=${(event) => call(event.target.value)} /></label>
      <button aria-label=${`Make it a reference: ${name}`}>Make it a reference</button></form>
    ${["queued", "failed"].includes(sync?.state) && html`<p class="acts"><${Act} text="Not a ride of a trail"
      about=${name} act=${() => judge(recording, { dismissed: true }, library)} /></p>`}`;
}

/** What a person can do with a run: what it waits for stands open, the rest folded away. */
function Acts({ recording, library, href }) {
  const { sync, name } = recording;
  const isUndecided = sync?.state === "done" && !sync.accepted;
  const isNowhere = sync === null || sync.state === "cancelled" || (isUndecided && !sync.trail);
  const summary = isNowhere ? "What to do with it" : "Other choices";
  return html`
    ${waits(recording) && html`<p class="acts">
      ${sync?.trail && html`<a class="button" href=${href} aria-label=${`Look at it: ${name}`}>Look at it</a>`}
      ${isUndecided && sync.verdict === "review" && html`<${Act} text="Trust it" about=${name}
        act=${() => judge(recording, { accepted: true }, library)} />`}
      ${isUndecided && html`<${Act} text="Not a ride of a trail" about=${name}
        act=${() => judge(recording, { dismissed: true }, library)} />`}</p>`}
    <details class="run-choices" open=${isUndecided && !sync.trail}>
      <summary aria-label=${`${summary}: ${name}`}>${summary}</summary>
      <${Choices} recording=${recording} library=${library} /></details>`;
}

function Files({ files }) {
  return html`<p class="run-files small"><span class="quiet">Files for your editor:</span> ${files.map((file) => html`
    <a key=${file.id} href=${`/api/v1/exports/${part(file.id)}/file`} download
      title=${[file.path, ...file.losses].join("\n")}>${file.format}</a> `)}</p>`;
}

/** The recording with that id. */
export function Card({ id, library, isReadOnly }) {
  const recording = useStore(library.store, ({ recordings }) => recordings.get(id));
  const trail = useStore(library.store, ({ recordings, trails }) => {
    const shown = recordings.get(id);
    return trails.get(shown?.trail ?? shown?.sync?.trail);
  });
  const job = useStore(library.store, (state) => runningOf(state, id));
  const files = useStore(library.store, ({ exports }) => exports.get(id));
  const isWaiting = recording !== undefined && waits(recording);
  if (recording === undefined) return null;
  const { sync, is_reference, name } = recording;
  const href = is_reference ? `#/trail/${part(recording.trail)}` : `#/run/${part(id)}`;
  const [tone, text] = verdictOf(sync);
  const hasReasons = sync?.state === "done" && !sync.accepted;
  return html`
    <li class=${`run${isWaiting ? " run-waits" : ""}`}>
      <${Picture} recording=${recording} href=${href} />
      <div class="run-about">
        <div class="run-title">
          <h3><a href=${href} title=${recording.files.map(({ path }) => path).join("\n")}>${name}</a></h3>
          ${isWaiting && html`<span class="run-flag">Waits for you</span>`}
          ${is_reference && html`<span class="badge">Reference of ${trail?.name ?? "a trail"}</span>`}</div>
        <${Facts} recording=${recording} trail=${trail} />
        ${is_reference ? html`<p class="small quiet">${count(recording.markers.n, "marker")}</p>`
          : html`<p><span class=${tone}>${text}</span><${Markers} recording=${recording} href=${href} /></p>`}
        ${hasReasons && html`<ul class="run-reasons small">
          ${sync.reasons.map((reason) => html`<li key=${reason}>${reason}</li>`)}</ul>`}
        ${job && html`<${Job} job=${job} />`}
        <${Troubles} recording=${recording} library=${library} isReadOnly=${isReadOnly} />
        ${files?.length > 0 && html`<${Files} files=${files} />`}
        ${!is_reference && !isReadOnly && html`<${Acts} recording=${recording} library=${library} href=${href} />`}
      </div>
    </li>`;
}
