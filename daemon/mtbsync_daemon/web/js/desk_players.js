/** Both runs side by side, with what plays them. */

import { Refused, ask, complain, onEvent, part, say } from "./api.js";
import { clock, rate } from "./format.js";
import { html, useEffect, useLayoutEffect, useRef, useState, useStore } from "./lib.js";
import { Pair, sourceOf } from "./players.js";
import { timecodeAt } from "./timecode.js";

const FASTEST = 8;
const PACES = [0.25, 0.5, 1, 2, 4, 8];
const SKIP_S = 1;
/** While it plays, screen readers hear of a new time no more often than that. */
const SPOKEN_EACH_MS = 1000;
const SIDES = { new: "New run", ref: "Reference" };

/**
 * What the keyboard does with the players: `run({pair})` on `key`, which is `KeyboardEvent.key`, in small letters, with
 * "Shift+" in front where that is held.
 */
export const PLAYER_KEYS = [
  { key: " ", does: "Play or pause", run: ({ pair }) => pair.toggle() },
  { key: "j", does: "Play backwards; again: twice as fast", run: ({ pair }) => shuttle(pair, -1) },
  { key: "k", does: "Pause", run: ({ pair }) => pair.pause() },
  { key: "l", does: "Play; again: twice as fast", run: ({ pair }) => shuttle(pair, 1) },
  { key: "ArrowLeft", does: "One frame back", run: ({ pair }) => pair.step(-1) },
  { key: "ArrowRight", does: "One frame on", run: ({ pair }) => pair.step(1) },
  { key: "Shift+ArrowLeft", does: "One second back", run: ({ pair }) => pair.skip(-SKIP_S) },
  { key: "Shift+ArrowRight", does: "One second on", run: ({ pair }) => pair.skip(SKIP_S) },
];

function shuttle(pair, way) {
  const goesOn = pair.isPlaying && Math.sign(pair.speed) === way;
  pair.play(way * (goesOn ? Math.min(2 * Math.abs(pair.speed), FASTEST) : 1));
}

/** The players of the open run; `onPair` gets the `Pair` once it is there, and null when it is gone. */
export function Players({ run, onPair }) {
  const { recording, reference, map } = useStore(run.store);
  const [pair, setPair] = useState(null);
  useEffect(() => {
    const made = new Pair({ newSource: sourceOf(recording), refSource: reference && sourceOf(reference), map });
    setPair(made);
    onPair(made);
    return () => {
      onPair(null);
      made.close();
    };
  }, [recording.id, reference?.id]);
  useEffect(() => pair?.setMap(map), [pair, map]);
  // mtbsync may have been away.
  useEffect(() => pair && onEvent((happened) => happened.kind === "reload" && pair.retry()), [pair]);
  useChanges(pair);
  if (pair === null) return null;
  const sides = reference === null ? [["new", recording]] : [["new", recording], ["ref", reference]];
  const withSound = sides.filter(([, of]) => of.has_audio).map(([name]) => name);
  return html`
    <section class="players" aria-label="The videos">
      <div class="screens">
        ${sides.map(([name, of]) => html`
          <${Player} key=${name} name=${name} recording=${of} pair=${pair} onCopy=${() => run.reload()} />`)}
      </div>
      <${Controls} pair=${pair} hasMap=${map !== null} withSound=${withSound} />
    </section>`;
}

/** Draw again when what the pair says of itself has changed; not for every frame. */
function useChanges(pair) {
  const [, draw] = useState(0);
  useLayoutEffect(() => {
    if (pair === null) return undefined;
    const done = new AbortController();
    for (const name of ["play", "pause", "state", "problem"]) {
      pair.addEventListener(name, () => draw((n) => n + 1), { signal: done.signal });
    }
    return () => done.abort();
  }, [pair]);
}

const timeOf = (pair, name) => (name === "new" ? pair.t_new_s : pair.t_ref_s);
const videoOf = (pair, name) => (name === "new" ? pair.newVideo : pair.refVideo);
const showsPlace = (pair, name) => (name === "new" ? pair.newShows : pair.refShows);

function Player({ name, recording, pair, onCopy }) {
  const screen = useRef();
  const problem = pair.problemOf(name);
  useLayoutEffect(() => {
    const video = videoOf(pair, name);
    // What it shows is told beside it; its own controls are those below.
    video.setAttribute("aria-label", `${SIDES[name]}: ${recording.name}`);
    screen.current.prepend(video);
    return () => video.remove();
  }, [pair]);
  const hadLightCopy = useRef(recording.has_light_copy);
  useEffect(() => {
    if (problem && recording.has_light_copy && !hadLightCopy.current) pair.reload(name, sourceOf(recording));
    hadLightCopy.current = recording.has_light_copy;
  }, [pair, recording.has_light_copy]);
  const other = SIDES[name === "new" ? "ref" : "new"].toLowerCase();
  return html`
    <figure class=${`player ${name}`}>
      <div class="screen" ref=${screen} style=${{ aspectRatio: `${recording.width} / ${recording.height}` }}>
        ${problem && html`
          <${Problem} problem=${problem} recording=${recording} onCopy=${onCopy} onRetry=${() => pair.retry()} />`}
        ${!problem && !showsPlace(pair, name) && html`
          <p class="waits">Waits here: the place that the ${other} shows is not known to be in this one</p>`}
      </div>
      <figcaption>
        <${Scrubber} name=${name} recording=${recording} pair=${pair} />
        <div class="caption">
          <p>
            <strong class="who">${recording.is_reference ? SIDES.ref : SIDES[name]}</strong>${" "}
            <span class="quiet">${recording.name}</span>
          </p>
          <${Clock} name=${name} recording=${recording} pair=${pair} />
        </div>
      </figcaption>
    </figure>`;
}

/**
 * Call `write` with each new time of a side, which comes too often to draw anything anew. It ends before the elements
 * that are written to are gone.
 */
function useTime(pair, name, write) {
  useLayoutEffect(() => {
    const told = () => write(timeOf(pair, name));
    told();
    pair.addEventListener("time", told);
    return () => pair.removeEventListener("time", told);
  });
}

function Clock({ name, recording, pair }) {
  const [time, frame, timecode] = [useRef(), useRef(), useRef()];
  const fps = rate(recording.rate);
  useTime(pair, name, (t_s) => {
    const k = Math.round(t_s * fps);
    time.current.textContent = clock(t_s, 3);
    frame.current.textContent = k;
    if (recording.start_timecode) timecode.current.textContent = timecodeAt(recording.start_timecode, k, fps);
  });
  return html`
    <p class="number small"><span ref=${time} class="time"></span> · frame <span ref=${frame} class="frame"></span>
      ${recording.start_timecode && html` · <span ref=${timecode} class="timecode"></span>`}</p>`;
}

function Scrubber({ name, recording, pair }) {
  const slider = useRef();
  const spoken_ms = useRef(-Infinity);
  useTime(pair, name, (t_s) => {
    slider.current.value = t_s;
    const now_ms = performance.now();
    if (pair.isPlaying && now_ms - spoken_ms.current < SPOKEN_EACH_MS) return;
    spoken_ms.current = now_ms;
    slider.current.setAttribute("aria-valuetext", clock(t_s, 1));
  });
  const seek = ({ currentTarget }) => {
    if (name === "new") pair.seekNew(currentTarget.valueAsNumber);
    else pair.seekRef(currentTarget.valueAsNumber);
  };
  // The arrows move it by a frame by themselves.
  return html`
    <input ref=${slider} type="range" aria-label=${`Where the ${SIDES[name].toLowerCase()} stands`}
      min="0" max=${recording.duration_s} step=${1 / rate(recording.rate)} onInput=${seek}
      onKeyDown=${(event) => event.key.startsWith("Arrow") && event.stopPropagation()} />`;
}

function Controls({ pair, hasMap, withSound }) {
  const said = pair.isPlaying ? `Playing${paceInWords(pair.speed)}` : "Paused";
  const waiting = Object.keys(SIDES).filter((name) => !showsPlace(pair, name));
  const waits = waiting.map((name) => `; the ${SIDES[name].toLowerCase()} waits`);
  return html`
    <div class="controls acts" role="group" aria-label="Playing">
      <button type="button" class="step" aria-label="One frame back" onClick=${() => pair.step(-1)}>‹</button>
      <button type="button" class="main play" disabled=${pair.problemOf("new") !== null}
        onClick=${() => pair.toggle()}>${pair.isPlaying ? "Pause" : "Play"}</button>
      <button type="button" class="step" aria-label="One frame on" onClick=${() => pair.step(1)}>›</button>
      <label>Speed <select value=${pair.pace} onChange=${(event) => pair.setPace(Number(event.currentTarget.value))}>
        ${PACES.map((pace) => html`<option key=${pace} value=${pace}>${pace}×</option>`)}
      </select></label>
      ${hasMap && html`<button type="button" aria-pressed=${pair.isLocked}
        onClick=${() => pair.setLocked(!pair.isLocked)}
        title="Unlocked, each video moves by itself">Move together</button>`}
      ${withSound.length > 0 && html`
        <label>Sound <select value=${pair.sound} onChange=${(event) => pair.setSound(event.currentTarget.value)}>
          <option value="none">off</option>
          ${withSound.map((name) => html`<option key=${name} value=${name}>${SIDES[name].toLowerCase()}</option>`)}
        </select></label>`}
      <p role="status" class="quiet small">${said}${waits}</p>
    </div>`;
}

function paceInWords(speed) {
  const times = Math.abs(speed) === 1 ? "" : ` at ${Math.abs(speed)}×`;
  return speed < 0 ? ` backwards${times}` : times;
}

/** Why a video is not shown, and what helps: a copy that is, or to try again. */
function Problem({ problem, recording, onCopy, onRetry }) {
  const [job, setJob] = useState(null);
  const [done, setDone] = useState(null);
  useEffect(() => (job === null ? undefined : followJob(job, setDone, (why) => {
    setJob(null);
    if (why) complain(why);
    else say(`The light copy of ${recording.name} is made.`);
    // One that was there before may have been no good.
    onCopy().then(onRetry, complain);
  })), [job]);
  const make = () => ask(`/recordings/${part(recording.id)}/light-copy`, { method: "POST" })
    .then((made) => setJob(made.job), complain);
  return html`
    <div class="problem">
      <p>${problem.reason}</p>
      ${job !== null && html`<p><label>Making a light copy … <progress value=${done}></progress></label></p>`}
      ${!problem.isUnplayable && html`
        <p><button type="button" class="main" onClick=${onRetry}>Try again</button></p>`}
      ${job === null && problem.isUnplayable && html`
        <button type="button" class="main" onClick=${make}>Make a light copy</button>
        <p class="small">It plays in every browser and stays on this computer. The original is only read.</p>`}
    </div>`;
}

/**
 * Follow the job `id`: `onProgress` hears how much is done, 0 to 1; `onEnd` once why it failed, or null.
 * Gives what ends that.
 */
function followJob(id, onProgress, onEnd) {
  let isOver = false;
  const look = async () => {
    const { state, error, progress } = await ask(`/jobs/${part(id)}`);
    if (isOver) return;
    if (progress !== null) onProgress(progress.done);
    if (!["done", "failed", "cancelled"].includes(state)) return;
    isOver = true;
    onEnd(state === "done" ? null : new Refused(409, error ?? "That was stopped."));
  };
  const end = onEvent((happened) => {
    if (happened.kind === "progress" && happened.id === id) onProgress(happened.done);
    else if (happened.kind === "reload" || (happened.kind === "job" && happened.id === id)) look().catch(complain);
  });
  look().catch(complain);
  return () => {
    isOver = true;
    end();
  };
}
