/** A session's cameras: how far each is, and adding more by dropping files or by naming one on this computer. */

import { part, say } from "./api.js";
import { Changes } from "./changes.js";
import { Folders, useDisk } from "./disk.js";
import { clock, percent, rate } from "./format.js";
import { html, useOnce, useRef, useState, useStore } from "./lib.js";
import { Act, attempt } from "./desk_acts.js";
import { Dialog, close } from "./keys.js";
import { stageOf } from "./runs_card.js";
import { Still } from "./runs_still.js";
import { ACCEPTED, Sending, isVideo, newBatch, sentOf, uploads } from "./runs_uploads.js";
import { madeOf } from "./sessions_store.js";
import { CAMERA_STATES } from "./sessions_words.js";

// A GoPro’s chapters are one recording; those behind the first are no cameras.
const CHAPTER = /^(?:G[HXL]\d{2}|GP\d{2}|GOPR)(\d{4})\./i;
const REFUSED = 422;
const LATER_CHAPTER = /^(?:G[HXL](?!01)\d{2}|GP\d{2})\d{4}\./i;

/** The picture of a camera, or why there is none. */
export function Thumbnail({ session, camera }) {
  const made = madeOf(session.id, camera, "thumbnail");
  const picture = made && html`<${Still} key=${made.key} source=${made.url} />`;
  const none = camera.status === "failed" ? "no picture" : "no picture yet";
  return html`<span class="camera-picture">${picture ?? html`<span class="run-still">${none}</span>`}</span>`;
}

/** The batch that a camera's file was sent in: the folder that it lies in. */
const batchOf = ({ path }) => path.split(/[\\/]/).at(-2);
/** Whether what is sent is a camera's footage. */
const isOf = (camera) => ({ batch, name }) => name === camera.file_name && batch === batchOf(camera);

/** Whether a camera's footage is among the `items` that this page sends. */
const isSent = (camera, items) => items.some((item) => item.state !== "failed" && isOf(camera)(item));

/** For a component: the labels of the cameras whose footage has not all come, and is not sent from this page. */
export function useStopped({ cameras }) {
  const items = useStore(uploads.store, (state) => state.items);
  const stopped = cameras.filter((camera) => camera.status === "uploading" && !isSent(camera, items));
  return stopped.map(({ label }) => label);
}

function soundOf({ has_audio, quality, recording }) {
  if (recording === null) return "";
  if (!has_audio) return "no sound";
  if (quality === null) return "";
  const clipped = quality.clipped > 0.01 ? `, ${percent(quality.clipped)} too loud` : "";
  return `sound ${Math.round(quality.snr_db)} dB above its noise${clipped}`;
}

function factsOf(camera) {
  const { duration_s, width, height, frames_a_second } = camera;
  const size = width ? `${width} × ${height}` : "";
  const pace = frames_a_second ? `${Number(rate(frames_a_second).toFixed(2))} frames a second` : "";
  return [duration_s ? clock(duration_s) : "", size, pace, soundOf(camera)].filter(Boolean).join(" · ");
}

/** What is sent from this page for a camera whose footage has not come. */
function Coming({ camera }) {
  const items = useStore(uploads.store, (state) => state.items);
  if (!isSent(camera, items)) {
    return html`<p class="small doubt">Not all of its footage has come, and this page does not send it. If no other
      does, drop ${camera.file_name} here again: that goes on where it stopped.</p>`;
  }
  const item = items.find(isOf(camera));
  return html`<p class="small run-job"><span class="quiet">Is being copied</span>
    <progress value=${item.share} aria-label=${`Copying ${camera.file_name}`}></progress></p>`;
}

function Progress({ camera, progress }) {
  if (camera.status === "uploading") return html`<${Coming} camera=${camera} />`;
  const now = progress.get(camera.job);
  const [tone, words] = CAMERA_STATES[camera.status];
  return html`<p class="small run-job"><span class=${tone}>${words}</span>
    ${camera.status === "ingesting" && html`
      <progress value=${now?.done ?? undefined}
        aria-label=${`Camera ${camera.label} ${words.toLowerCase()}`}></progress>
      <span class="quiet number">${stageOf({ progress: now ?? null })}</span>`}</p>`;
}

function Rename({ open, camera, onDone }) {
  const call = useOnce((label) => attempt(async () => {
    await open.rename(camera.label, label);
    say(`Camera ${camera.label} is called ${label} now.`);
    onDone();
  }));
  const rename = (event) => {
    event.preventDefault();
    const label = event.currentTarget.elements.label.value.trim();
    if (label === "") {
      say("A camera needs a name.");
      return;
    }
    call(label);
  };
  const id = `label-${camera.label}`;
  return html`<form class="acts" onSubmit=${rename}>
    <label for=${id}>Name</label>
    <input id=${id} name="label" defaultValue=${camera.label} required maxlength="40" size="10" autocomplete="off" />
    <button>Rename</button></form>`;
}

function Camera({ open, camera }) {
  const { session, progress, isReadOnly } = useStore(open.store);
  const [isChanging, change] = useState(false);
  const { label } = camera;
  const remove = async () => {
    const isMaster = label === session.master && session.placements.some(({ status }) => status !== "pending");
    const others = isMaster ? " What you approved of the others waits for you again, as they lie on this one." : "";
    if (!confirm(`Take camera ${label} out of this session? Its footage stays where it is.${others}`)) return;
    await open.act("DELETE", `/cameras/${part(label)}`);
    say(`Camera ${label} is no part of this session any more.`);
  };
  const again = () => open.tryAgain(camera).then(() => say(`Camera ${label} is looked at again.`));
  return html`
    <li class=${`camera ${camera.status}`}>
      <${Thumbnail} session=${session} camera=${camera} />
      <div class="camera-about">
        <h3>${label} ${label === session.master && html`<span class="badge">master</span>`}</h3>
        <p class="small camera-file" title=${camera.path}>${camera.file_name}</p>
        <p class="small quiet">${factsOf(camera)}</p>
        <${Progress} camera=${camera} progress=${progress} />
        ${camera.problem && html`
          <p class="small bad">${camera.problem.replaceAll(camera.path, camera.file_name)}</p>`}
        ${!isReadOnly && html`<p class="acts">
          ${camera.status === "failed" && html`
            <${Act} aria-label=${`Try again: camera ${label}`} act=${again}>Try again<//>`}
          <button type="button" class="plain small" aria-expanded=${isChanging} aria-label=${`Change camera ${label}`}
            onClick=${() => change(!isChanging)}>Change …</button></p>
          ${isChanging && html`<${Rename} open=${open} camera=${camera} onDone=${() => change(false)} />
            <p><${Act} aria-label=${`Remove camera ${label}`} act=${remove}>Remove<//></p>`}`}
      </div>
    </li>`;
}

/** What the chapters of one recording have in common, and what lies beside it. */
const takeOf = ({ name }) => CHAPTER.exec(name)?.[1] ?? name.replace(/\.[^.]*$/u, "");

const brought = new Changes(() => {});

/** Add these files as cameras, and send them: those of one drop after those of another, as names may be alike. */
export const bring = (open, files) => brought.make(() => bringOnes(open, files));

async function bringOnes(open, files) {
  if (!files.some(({ name }) => isVideo(name))) {
    say("None of that is a video that mtbsync knows by its name.");
    return;
  }
  const batches = await begunOf(open, files.filter(({ size }) => size > 0));
  const begun = [...batches.values()].flat();
  // Two cameras may call their files alike; what is in one batch lies in one folder.
  const { cameras } = open.store.get().session;
  const isTaken = (batch, held, { name }) => held.some((other) => other.name === name)
    || cameras.some((camera) => isOf(camera)({ batch, name }));
  for (const file of files) {
    if (begun.includes(file)) continue;
    const free = [...batches].filter(([batch, others]) => !isTaken(batch, others, file));
    // A later chapter goes where the first one went; of two cameras' that are numbered alike, to the latter's.
    const goesTo = free.findLast(([, others]) => others.some((other) => takeOf(other) === takeOf(file))) ?? free[0];
    if (goesTo) goesTo[1].push(file);
    else batches.set(newBatch(), [file]);
  }
  for (const [batch, held] of batches) {
    const refused = new Map();
    for (const file of held) {
      if (begun.includes(file) || !isVideo(file.name) || LATER_CHAPTER.test(file.name)) continue;
      const why = await refusalOf(open, batch, file);
      if (why !== null) refused.set(file, why);
    }
    const onDrop = (file) => begun.includes(file) || attempt(() => drop(open, batch, file));
    const isBegun = held.some((file) => begun.includes(file));
    const problem = uploads.add(held, { batch, isBegun, refused, onDrop });
    if (problem) say(problem);
  }
}

/** Add the camera of a file that is to be sent; gives why there can be none, or null where there is one now. */
async function refusalOf(open, batch, { name, size }) {
  if (size === 0) return `${name} is empty; copy it from the card once more.`;
  try {
    await open.act("POST", "/cameras", { upload: `${batch}/${name}` });
    return null;
  } catch (error) {
    if (error.status !== REFUSED) throw error;
    return error.message;
  }
}

/** Those of the files that were dropped before, and then not all of them came, by the batch that they go on in. */
async function begunOf(open, files) {
  const { cameras } = open.store.get().session;
  const { items } = uploads.store.get();
  const broken = cameras.filter((camera) => camera.status === "uploading" && !isSent(camera, items)).map(batchOf);
  const batches = new Map();
  for (const camera of cameras) {
    if (!broken.includes(batchOf(camera)) || camera.status === "failed" || isSent(camera, items)) continue;
    const found = [...batches.values()].flat();
    const alike = files.filter((file) => file.name === camera.file_name && !found.includes(file));
    if (alike.length === 0) continue;
    const { length } = await sentOf(batchOf(camera), camera.file_name);
    const file = alike.find(({ size }) => length === null || size === length);
    if (file) batches.set(batchOf(camera), [...batches.get(batchOf(camera)) ?? [], file]);
  }
  return batches;
}

/** Take out the camera of a file that is not sent after all. */
async function drop(open, batch, { name }) {
  await open.reload();
  const { cameras } = open.store.get().session;
  const camera = cameras.find((one) => one.status === "uploading" && isOf(one)({ batch, name }));
  if (camera) await open.act("DELETE", `/cameras/${part(camera.label)}`);
}

/** A dialog that asks for a file on this computer. */
function ByPath({ open, onClose }) {
  const { disk, typed, type, problem, tell, go } = useDisk(({ path }) => path?.replace(/\/?$/, "/") ?? "");
  const add = (event) => {
    event.preventDefault();
    const dialog = event.currentTarget.closest("dialog");
    open.act("POST", "/cameras", { path: typed }).then(() => dialog.close(), (error) => tell(error.message));
  };
  return html`
    <${Dialog} label="A file on this computer" onClose=${onClose}>
      <form onSubmit=${add} class="by-path">
        <h2>A file on this computer</h2>
        <p class="quiet small">It is used where it lies: nothing is copied. Choose its folder, and type its name behind
          it.</p>
        <div class="field"><label for="camera-path">File</label>
          <input id="camera-path" value=${typed} required spellcheck="false" autocomplete="off"
            onInput=${(event) => type(event.currentTarget.value)} /></div>
        ${disk && html`<${Folders} disk=${disk} go=${go} />`}
        <p role="alert" class="bad">${problem}</p>
        <p class="acts"><button class="main">Add it</button>
          <button type="button" onClick=${close}>Cancel</button></p>
      </form>
    <//>`;
}

function Add({ open }) {
  const input = useRef();
  const [isAsking, ask_] = useState(false);
  const chosen = ({ target }) => {
    const files = [...target.files];
    target.value = "";
    attempt(() => bring(open, files));
  };
  return html`
    <p class="acts"><button type="button" class="main" onClick=${() => input.current.click()}>Add cameras …</button>
      <button type="button" onClick=${() => ask_(true)}>A file on this computer …</button></p>
    <input type="file" multiple hidden accept=${ACCEPTED} ref=${input} onChange=${chosen} aria-label="Cameras" />
    ${isAsking && html`<${ByPath} open=${open} onClose=${() => ask_(false)} />`}`;
}

/** The session's cameras, and adding more. */
export function Cameras({ open }) {
  const { session, isReadOnly } = useStore(open.store);
  const isSaid = (item) => session.cameras.some((camera) => camera.status === "failed" && isOf(camera)(item));
  const isSending = useStore(uploads.store, (state) => state.items).some((item) => !isSaid(item));
  return html`
    <section class="section" aria-labelledby="cameras-title">
      <div class="bar"><h2 id="cameras-title">Cameras <span class="quiet number">${session.cameras.length}</span></h2>
        ${!isReadOnly && html`<${Add} open=${open} />`}</div>
      ${isSending && html`<ul><${Sending} isSaid=${isSaid} /></ul>`}
      ${session.cameras.length === 0 && html`<p class="hint">Drop what each camera recorded onto this page: one file is
        one camera. Once two are there, they are lined up by their sound.</p>`}
      <ul class="cameras">${session.cameras.map((camera) => html`
        <${Camera} key=${camera.label} open=${open} camera=${camera} />`)}</ul>
    </section>`;
}
