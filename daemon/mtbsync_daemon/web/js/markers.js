/** What a page says of markers: how certain they are, what became of them, which are listed, and their colours. */

import { percent } from "./format.js";

/** From so much confidence on a marker is within a quarter of a second in nine cases of ten. */
export const CERTAIN = 0.9;
/** Below this the engine itself asks a person to look. */
const LIKELY = 0.6;

/** The classes of confidence, and what has none: what they are called, and what they mean. */
export const GRADES = {
  certain: { word: "certain", means: `${percent(CERTAIN)} or more, or a person's word` },
  likely: { word: "likely", means: `${percent(LIKELY)} or more` },
  doubtful: { word: "doubtful", means: `below ${percent(LIKELY)}` },
  rejected: { word: "rejected", means: "taken out by a person" },
  missing: { word: "not shown", means: "the run does not show the place" },
};

/** DaVinci Resolve's colours as it shows them; names of the other editors are colours that browsers know. */
export const COLOURS = {
  Blue: "#007fe3", Cyan: "#00ced0", Green: "#00ad00", Yellow: "#f09d00", Red: "#e12401", Pink: "#ff44c8",
  Purple: "#9013fe", Fuchsia: "#c02e6f", Rose: "#ffa1b9", Lavender: "#a193c8", Sky: "#92e2fd", Mint: "#72db00",
  Lemon: "#dce95a", Sand: "#c4915a", Cocoa: "#6e5143", Cream: "#f5ebe1",
};
const BY_NAME = new Map(Object.entries(COLOURS).map(([name, hex]) => [name.toLowerCase(), hex]));

/** The CSS colour that a marker's colour stands for, or null. */
export function swatchOf(colour) {
  const name = colour.trim().toLowerCase();
  const known = BY_NAME.get(name);
  if (known !== undefined) return known;
  // Names and numbers alone: CSS knows words that would fetch something.
  return [name, `#${name}`].find((word) => /^#?[a-z0-9]+$/.test(word) && CSS.supports("color", word)) ?? null;
}

/** Whether a person has said what to make of it. */
const isDecided = (marker) => marker.state !== "found";

/** The class of confidence: a key of GRADES. */
export function gradeOf({ state, confidence, t_s }) {
  if (state === "rejected") return "rejected";
  if (t_s === null) return "missing";
  if (state !== "found" || confidence >= CERTAIN) return "certain";
  return confidence >= LIKELY ? "likely" : "doubtful";
}

/** A confidence in per cent, never above what it is: 0.897 is not 90 %. */
const sharePercent = (share) => percent(Math.floor(share * 100 + 1e-9) / 100);

/** How sure it is, in words and per cent. */
export function sureness(marker) {
  if (marker.state === "rejected") return "–";
  if (isDecided(marker)) return "your word";
  if (marker.t_s === null) return "–";
  return `${GRADES[gradeOf(marker)].word}, ${sharePercent(marker.confidence)}`;
}

/** How far off it may be, as the engine reckons; null where a person has placed it. */
export const errorOf = (marker) => (isDecided(marker) && marker.state !== "accepted" ? null : marker.expected_error_s);

/** What is to be done with it, or was. */
export function stateOf(marker) {
  if (marker.state === "added") return "your own";
  if (isDecided(marker)) return marker.state;
  if (marker.t_s === null) return "not shown in this run";
  return marker.needs_review ? "to review" : "found";
}

/** Whether it waits for a person to look. */
export const isToReview = (marker) => marker.state === "found" && marker.needs_review && marker.t_s !== null;

/** Those that nobody has decided on and that are certain. */
export const certainOnes = (markers) =>
  markers.filter((m) => m.state === "found" && m.t_s !== null && m.confidence >= CERTAIN);

/** The filters of the list, by name. */
export const FILTERS = {
  review: { word: "To review", keeps: isToReview },
  all: { word: "All", keeps: () => true },
  missing: { word: "Not shown", keeps: (marker) => marker.t_s === null },
};

const wordsOf = (m) => [m.name, m.comment, m.note ?? "", m.colour, ...(m.labels ?? [])].join("\n").toLowerCase();

/** The markers that the list shows. */
export function listed({ markers, filter, sought }) {
  const word = sought.trim().toLowerCase();
  return markers.filter((marker) => FILTERS[filter].keeps(marker) && (word === "" || wordsOf(marker).includes(word)));
}

/** The last of `markers`, which are in order, that begins at `t_s` or before; -1 where none does. */
export function indexAt(markers, t_s) {
  let [low, high] = [-1, markers.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((markers[middle].t_s ?? Infinity) <= t_s) low = middle;
    else high = middle;
  }
  return low;
}
