/** What a person does with markers: the same whether by a key or by a button. */

import { complain, say } from "./api.js";
import { clock, count, rate } from "./format.js";
import { certainOnes, indexAt, isToReview, listed } from "./markers.js";
import { html } from "./lib.js";

/** Markers whose decision is on its way. */
const underway = new Set();
/** The names of markers that are being added where their runs stand. */
const adding = new Set();

/** A button; where it can do nothing (`isOff`) it says so and keeps the focus, which `disabled` would take from it. */
export function Act({ act, isOff = false, children, ...given }) {
  return html`<button type="button" ...${given} aria-disabled=${isOff ? "true" : null}
    onClick=${() => isOff || attempt(act)}>${children}</button>`;
}

/** Select a marker, and go there with both videos. */
export function choose(run, pair, id) {
  run.select(id);
  const marker = run.marker(id);
  if (marker === undefined) return;
  if (marker.t_s !== null) goTo(pair, marker);
  else if (marker.t_ref_s !== null) pair.seekRef(marker.t_ref_s);
}

/** Show a marker's own frame on both sides, where both show it. */
function goTo(pair, { t_s, t_ref_s }) {
  if (t_ref_s === null) pair.seekNew(t_s);
  else pair.seekPlace(t_s, t_ref_s);
}

/** Choose the marker that comes `by` places on in the list, from the one that is selected or the playhead. */
export function walk(run, pair, by) {
  const { recording, selected } = run.store.get();
  const markers = listed(run.store.get());
  const here = markers.findIndex((marker) => marker.id === selected);
  const before = indexAt(markers, pair.t_new_s + 0.5 / rate(recording.rate));
  // Between two markers the next is the one behind, and the one before that at or before the playhead.
  const from = here >= 0 ? here : before + (by < 0 ? 1 : 0);
  const next = markers[Math.min(Math.max(from + by, 0), markers.length - 1)];
  if (next !== undefined) choose(run, pair, next.id);
}

/** Accept or reject the selected marker ("accepted", "rejected"), and go on to the next that waits. */
export async function decideSelected(run, pair, state) {
  const { selected } = run.store.get();
  const marker = run.marker(selected);
  if (marker === undefined) return;
  if (state === "accepted" && marker.t_s === null) {
    say(`${marker.name} has no place on this run yet; give it one first.`);
    return;
  }
  underway.add(selected);
  const waiting = leftToReview(run);
  const next = waiting.find((other) => other.t_s >= (marker.t_s ?? 0)) ?? waiting[0];
  const decided = run.decide([selected], state).finally(() => underway.delete(selected));
  // Before the daemon answers: whoever decides quickly decides on what they see.
  if (next !== undefined) choose(run, pair, next.id);
  await decided;
  const left = leftToReview(run).length;
  say(`${marker.name} ${state}. ${left > 0 ? `${count(left, "marker")} left` : "Nothing is left"} to review.`);
}

const leftToReview = (run) => run.store.get().markers.filter((m) => isToReview(m) && !underway.has(m.id));

/** Accept or reject several at once: one act, one undo. */
export async function decideAll(run, ids, state) {
  // What has no place on the run cannot be accepted.
  const able = ids.filter((id) => state === "rejected" || (run.marker(id)?.t_s ?? null) !== null);
  if (able.length === 0) return;
  await run.decide(able, state);
  // What was ticked meanwhile stays so.
  run.store.set({ ticked: new Set([...run.store.get().ticked].filter((id) => !ids.includes(id))) });
  say(`${count(able.length, "marker")} ${state}.`);
}

/** Accept every marker that is certain and that nobody has decided on. */
export function acceptCertain(run) {
  return decideAll(run, certainOnes(run.store.get().markers).map(({ id }) => id), "accepted");
}

/** Move the selected marker by frames of the run; both videos go along. */
export function nudge(run, pair, nFrames) {
  const { selected, recording } = run.store.get();
  const marker = run.marker(selected);
  if (marker === undefined || marker.t_s === null) return;
  putAt(run, marker, marker.t_s + nFrames / rate(recording.rate));
  goTo(pair, run.marker(selected));
}

/** Put the selected marker where the run stands. */
export function putAtPlayhead(run, pair) {
  const marker = run.marker(run.store.get().selected);
  if (marker !== undefined) putAt(run, marker, pair.t_new_s);
}

function putAt(run, marker, t_s) {
  const { duration_s } = run.store.get().recording;
  run.moveMarker(marker.id, Math.min(Math.max(t_s, 0), duration_s));
  say(`${marker.name} is at ${clock(run.marker(marker.id).t_s, 3)} now.`);
}

/** Tick the selected marker for one act on several, or take that back. */
export function tick(run, id) {
  const ticked = new Set(run.store.get().ticked);
  if (!ticked.delete(id)) ticked.add(id);
  run.store.set({ ticked });
}

/** Note that both videos show the same place now. */
export async function samePlace(run, pair) {
  if (run.store.get().mapDoc === null) {
    say("This run is on no trail yet, so there is nothing to be at the same place as.");
    return;
  }
  pair.pause();
  const [t_new_s, t_ref_s] = [pair.t_new_s, pair.t_ref_s];
  await run.addAnchor(t_new_s, t_ref_s);
  say(`Same place: ${clock(t_new_s, 2)} of the run and ${clock(t_ref_s, 2)} of the reference. `
    + "The map is fitted again.");
}

/** Put a marker on this run alone, where it stands, and have a person name it; once there, however often it is said. */
export async function addHere(run, pair) {
  pair.pause();
  const t_s = pair.t_new_s;
  const { map, recording, selected } = run.store.get();
  const t_ref_s = map === null ? NaN : map.toRef(t_s);
  const fields = { name: `Marker at ${clock(t_s, 1)}`, t_s: Math.min(t_s, recording.duration_s) };
  if (adding.has(fields.name)) return;
  adding.add(fields.name);
  const isFocusThere = focusNow();
  const made = await run.addMarker({ ...fields, t_ref_s: Number.isNaN(t_ref_s) ? null : t_ref_s })
    .finally(() => adding.delete(fields.name));
  if (run.store.get().selected !== selected || !isFocusThere()) {
    say(`${made.name} is added.`);
    return;
  }
  run.store.set({ filter: "all", sought: "" });
  choose(run, pair, made.id);
  nameSelected();
}

/** Put the focus on the name of the selected marker, once its form is there. */
export function nameSelected() {
  requestAnimationFrame(() => requestAnimationFrame(() => {
    const field = document.getElementById("marker-name");
    field?.focus();
    field?.select();
  }));
}

/** What tells later whether the focus is where it is now, or gone with what had it: nobody went on to anything else. */
export function focusNow() {
  const before = document.activeElement;
  return () => [before, document.body].includes(document.activeElement);
}

/** Do it, and go to the page that it gives, unless a person has gone elsewhere meanwhile. */
export async function goOn(act) {
  const here = location.hash;
  const there = await act();
  if (location.hash === here) location.hash = there;
}

/** Do it, and tell a person where that goes wrong. */
export const attempt = (act) => Promise.resolve().then(act).catch(complain);
