/** Sessions in words: how far they are, what waits for a person, how well cameras lie on each other. */

import { say } from "./api.js";
import { count } from "./format.js";

/** For each state of a session its class, and what it says. */
export const STATES = {
  draft: ["quiet", "Waits for cameras"],
  ingesting: ["quiet", "Footage is being taken in"],
  syncing: ["quiet", "Is being lined up"],
  "needs-review": ["doubt", "Waits for you"],
  ready: ["good", "In sync"],
};

/** The same of cameras whose footage has come. */
export const CAMERA_STATES = {
  ingesting: ["quiet", "Is being taken in"],
  ready: ["good", "Ready"],
  failed: ["bad", "Failed"],
};

/** For each class of trust the sign that stands for it, and what it says. */
export const TRUST = {
  "looks-good": ["certain", "Looks good"],
  "review-suggested": ["likely", "Worth a look"],
  "needs-manual-nudge": ["doubtful", "Needs your hand"],
};

const METHODS = {
  hybrid: "by its sound, to a fraction of a millisecond",
  xcorr: "by its sound",
  timecode: "by its timecode",
  created: "by its camera’s clock",
  picture: "by what it shows",
};

const DECIDED = { pending: "not decided", approved: "approved", corrected: "corrected by hand" };

/** Whether a session can be called that; a person is told why not. */
export function isTitle(text) {
  if (text.trim() === "") say("A session needs a title of more than blanks.");
  return text.trim() !== "";
}

/** Milliseconds with their sign. */
export function ms(offset_ms, digits = 1) {
  return offset_ms === null ? "nowhere yet" : `${offset_ms < 0 ? "−" : "+"}${Math.abs(offset_ms).toFixed(digits)} ms`;
}

/** Where a clock runs wrong: parts in a million, with their sign. */
export function ppm(drift_ppm) {
  return `${drift_ppm < 0 ? "−" : "+"}${Math.abs(drift_ppm).toFixed(1)} ppm`;
}

/** Whether a drift is worth a word: less shifts nothing by a millisecond in an hour. */
export const drifts = (drift_ppm) => Math.abs(drift_ppm ?? 0) >= 0.05;

/** What told where a camera lies, as a part of a sentence. */
export function methodOf({ method, through }) {
  if (method === null) return "nothing tells where it lies";
  return through === null ? METHODS[method] : `${METHODS[method]}, through camera ${through}`;
}

/** What a person said of a placement. */
export const decidedOf = ({ status }) => DECIDED[status];

export const isOpen = ({ status }) => status === "pending";

/** Where a session's placements say that an offset and a drift are unlike others, for one who reads them. */
export function lies({ offset_ms, drift_ppm }) {
  return drifts(drift_ppm) ? `${ms(offset_ms)}, ${ppm(drift_ppm)}` : ms(offset_ms);
}

/** How far a session is, as `STATES` calls it. Where footage has `stopped` coming for some of its cameras, by label,
 * and nothing else is under way, it is the person who is waited for. */
export function stateOf({ status, cameras }, stopped) {
  const isUnderWay = (camera) => ["uploading", "ingesting"].includes(camera.status) && !stopped.includes(camera.label);
  return status === "ingesting" && !cameras.some(isUnderWay) ? "needs-review" : status;
}

/** What a person can do next for a session, as sentences. */
export function waitsOf({ status, cameras, placements, problem }, stopped) {
  if (cameras.length === 0) return ["Add the cameras that recorded it."];
  const failed = cameras.filter((camera) => camera.status === "failed").map(({ label }) => label);
  const open = status === "needs-review" ? placements.filter(isOpen) : [];
  const labels = (found) => found.map(({ camera }) => camera);
  const lying = labels(open.filter(({ offset_ms }) => offset_ms !== null));
  const lost = labels(open.filter(({ offset_ms }) => offset_ms === null));
  const waits = [];
  if (stopped.length) {
    waits.push(`Not all footage of ${named(stopped)} has come: drop it on this session’s page again, unless another `
      + "page still sends it.");
  }
  if (failed.length) waits.push(`Try again with ${named(failed)}, or remove ${failed.length === 1 ? "it" : "them"}.`);
  if (cameras.length === 1) waits.push("Add another camera: one alone cannot be lined up.");
  if (problem) waits.push(problem);
  if (lying.length) waits.push(`Listen to ${named(lying)}, and approve where ${itLies(lying)}.`);
  if (status === "ready") waits.push("Take the files out for your editor.");
  if (lost.length) waits.push(`Put ${named(lost)} in place by hand: nothing tells where ${itLies(lost)}.`);
  return waits;
}

function named(labels) {
  if (labels.length > 4) return count(labels.length, "camera");
  const [last, ...before] = labels.toReversed();
  return before.length ? `cameras ${before.toReversed().join(", ")} and ${last}` : `camera ${last}`;
}

const itLies = (labels) => (labels.length === 1 ? "it lies" : "they lie");
