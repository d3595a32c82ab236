/** What the cameras that are heard show at the playhead: one without sound is put in its place by that. */

import { html, useLayoutEffect, useRef, useState, useStore } from "./lib.js";
import { madeOf } from "./sessions_store.js";

/** So much faster or slower for each second that a picture is behind or ahead, within what is good to look at. */
const GAIN_PER_S = 1;
const [SLOWEST, FASTEST] = [0.5, 2];
const SAME_SPEED = 0.01;
/** Further off than this it is sooner there by a jump. */
const JUMP_S = 0.5;
/** On the edge between two frames the later counts, whichever way a number was rounded. */
const EDGE_S = 0.001;
/** At rest this is the same moment. */
const SAME_S = 1e-4;

/** Have a video show its moment `t_s`, and go on from there at `pace` while it is to run. */
function follow(video, t_s, pace, isRunning) {
  const behind_s = t_s - video.currentTime;
  if (Math.abs(behind_s) > (isRunning ? JUMP_S : SAME_S) && !video.seeking) video.currentTime = t_s;
  if (!isRunning) {
    video.pause();
    return;
  }
  const wanted = Math.min(Math.max(pace + GAIN_PER_S * behind_s, SLOWEST), FASTEST);
  if (Math.abs(wanted - video.playbackRate) > SAME_SPEED) video.playbackRate = wanted;
  // Where that is refused, it was paused before it began, or cannot be shown, which is said.
  if (video.paused) video.play().catch(() => {});
}

function Moving({ open, listening, camera, url }) {
  const [shown, away] = [useRef(), useRef()];
  const [isBroken, breakDown] = useState(false);
  const { label, duration_s } = camera;
  useLayoutEffect(() => {
    const video = shown.current;
    const go = () => {
      const { offset_s, pace } = open.clockOf(label);
      const { isPlaying, isLoading } = listening.store.get();
      const t_s = (listening.t_master_s - offset_s) / pace + EDGE_S;
      const isThere = t_s >= 0 && t_s < duration_s;
      follow(video, Math.min(Math.max(t_s, 0), duration_s), 1 / pace, isThere && isPlaying && !isLoading);
      away.current.hidden = isThere;
    };
    listening.addEventListener("time", go);
    // Where it was put elsewhere while it jumped, it jumps once more.
    video.addEventListener("seeked", go);
    const ends = [open.store.subscribe(go), listening.store.subscribe(go)];
    go();
    return () => {
      listening.removeEventListener("time", go);
      for (const end of ends) end();
      // A video that nobody sees keeps no connection.
      video.removeEventListener("seeked", go);
      video.removeAttribute("src");
      video.load();
    };
  }, [open, listening, label, duration_s]);
  return html`
    <video ref=${shown} src=${url} muted playsinline preload="metadata" aria-label=${`Camera ${label} at the playhead`}
      onError=${() => breakDown(true)}></video>
    <figcaption class="small">Camera ${label}
      <span class="quiet" ref=${away} hidden> did not record then</span>
      ${isBroken && html`<span class="doubt"> cannot be shown by this browser</span>`}</figcaption>`;
}

/** The pictures of the cameras that are heard, as they lie. */
export function Pictures({ open, listening }) {
  useStore(open.store);
  useStore(listening.store);
  return html`<div class="at-playhead" role="group" aria-label="What they show">${listening.labels.map((label) => {
    const camera = open.camera(label);
    const made = madeOf(open.id, camera, "proxy");
    return html`<figure key=${`${label} ${made?.key}`}>
      ${made ? html`<${Moving} open=${open} listening=${listening} camera=${camera} url=${made.url} />`
        : html`<p class="small quiet">Camera ${label}: ${camera.problem || "its copy is still being made."}</p>`}
    </figure>`;
  })}</div>`;
}
