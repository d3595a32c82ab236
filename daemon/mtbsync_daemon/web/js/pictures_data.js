/** What the pictures show, worked out of the API's documents and the time map; nothing here draws. */

import { clock, difference, percent } from "./format.js";

/** How far a normal error strays in nine cases of ten, in standard errors. */
export const NINE_IN_TEN = 1.645;
/** Slower or faster than that is drawn as if it were that. */
export const PACE_RANGE = [1 / 8, 8];
const N_MOMENTS = 1000;
/** Rounding never takes the edge of a supported stretch out of it, nor is a moment sought more exactly. */
const EDGE_S = 1e-9;
const MOST_STEPS = 64;
/** Ends that lie this near to a marker are that marker. */
const SAME_S = 0.02;
/** What differs by less is not worth a word. */
const WORTH_A_WORD_S = 0.05;
// WGS 84.
const EQUATOR_RADIUS_M = 6378137;
const ECCENTRICITY_SQUARED = 6.69437999014e-3;

/** @returns {[number, number][]} the stretches that the map supports, on the reference's clock */
export function supportRef(map) {
  return map.support.map((ends) => ends.map((t_new_s) => map.toRef(t_new_s)));
}

/**
 * Moments along the trail on both clocks, about a thousand. Between two stretches of support stands one whose
 * t_new is NaN, so that no line is drawn across.
 * @returns {{tRef: number[], tNew: number[]}}
 */
export function alongTrail(map) {
  const stretches = supportRef(map);
  const step_s = (stretches.at(-1)[1] - stretches[0][0]) / N_MOMENTS;
  const tRef = [];
  stretches.forEach(([start, end], k) => {
    if (k > 0) tRef.push((stretches[k - 1][1] + start) / 2);
    const n = Math.max(1, Math.ceil((end - start) / step_s));
    for (let i = 0; i <= n; i += 1) tRef.push(i === n ? end : start + (i * (end - start)) / n);
  });
  return { tRef, tNew: tRef.map((t) => map.toNew(t)) };
}

/**
 * Seconds that the new run has lost against the reference since the first moment that both show; below 0 it has
 * gained. NaN outside what the map supports.
 */
export function lostAt(map, t_ref_s) {
  const first_s = map.support[0][0];
  return map.toNew(t_ref_s) - first_s - (t_ref_s - map.toRef(first_s));
}

/**
 * The trail from marker to marker, with the first and last moment that both runs show.
 * @param {{id: string, name: string, t_ref_s: number}[]} marks as `onTrail` gives them
 * @returns {{id: string, from: string, to: string, fromRef_s: number, toRef_s: number, ref_s: number, new_s: number,
 *   difference_s: number, sum_s: number, error_s: number}[]} `id` is that of the marker where it begins ("first": of
 *   none), and `error_s` what the difference may be off by in nine cases of ten
 */
export function splitsOf(map, marks) {
  const stretches = supportRef(map);
  const placed = marks.filter((m) => stretchOf(stretches, m.t_ref_s) >= 0);
  const isFree = (t_ref_s) => placed.every((m) => Math.abs(m.t_ref_s - t_ref_s) > SAME_S);
  const ends = [
    { id: "first", name: "First shared moment", t_ref_s: stretches[0][0] },
    { id: "last", name: "Last shared moment", t_ref_s: stretches.at(-1)[1] },
  ];
  const [first, last] = ends.map((end) => (isFree(end.t_ref_s) ? [end] : []));
  const stops = timed(map, stretches, [...first, ...placed, ...last]);
  const lost_s = (stop) => stop.t_new_s - map.support[0][0] - (stop.t_ref_s - stretches[0][0]);
  return stops.slice(1).map((to, k) => {
    const from = stops[k];
    const ref_s = to.t_ref_s - from.t_ref_s;
    const new_s = to.t_new_s - from.t_new_s;
    return {
      id: from.id,
      from: from.name,
      to: to.name,
      fromRef_s: from.t_ref_s,
      toRef_s: to.t_ref_s,
      ref_s,
      new_s,
      difference_s: new_s - ref_s,
      sum_s: lost_s(to),
      error_s: Math.hypot(from.error_s, to.error_s),
    };
  });
}

/**
 * Stops in order of `t_ref_s`, all on the map, with `t_new_s` and with `error_s`, what that may be off by in nine cases
 * of ten: as `toNew` and `errorNew` of the map say, but for ten thousand at once.
 */
function timed(map, stretches, stops) {
  // Each list rises by itself, more or less.
  const [solve, solveEarlier, solveLater] = [inverseOf(map), inverseOf(map), inverseOf(map)];
  return stops.map((stop) => {
    const { t_ref_s } = stop;
    const [from, to] = map.support[stretchOf(stretches, t_ref_s)];
    const t_new_s = Math.min(Math.max(solve(t_ref_s), from), to);
    const off_s = NINE_IN_TEN * errorRef(map, t_new_s);
    const floor_s = off_s / Math.max(map.slope(t_new_s), 1);
    const [earlier_s, later_s] = [solveEarlier(t_ref_s - off_s), solveLater(t_ref_s + off_s)];
    return { ...stop, t_new_s, error_s: Math.max(t_new_s - earlier_s, later_s - t_new_s, floor_s) };
  });
}

/** The inverse of the map's curve for moments in order: it goes on from the interval where the last one was. */
function inverseOf(map) {
  const { tNew, tRef } = map.knots;
  let k = 0;
  return (t_ref_s) => {
    while (k > 0 && tRef[k] > t_ref_s) k -= 1;
    while (k < tRef.length - 2 && tRef[k + 1] <= t_ref_s) k += 1;
    let [low, high] = [tNew[k], tNew[k + 1]];
    let t_s = 0.5 * (low + high);
    for (let n = 0; n < MOST_STEPS; n += 1) {
      const { value, slope } = map.curve(t_s);
      if (value < t_ref_s) low = t_s;
      else high = t_s;
      const newton = t_s + (t_ref_s - value) / slope;
      const next = newton > low && newton < high ? newton : 0.5 * (low + high);
      if (Math.abs(next - t_s) < EDGE_S) return next;
      t_s = next;
    }
    return t_s;
  };
}

/** Which of the `stretches` of the reference holds a moment; -1 where none does. */
function stretchOf(stretches, t_ref_s) {
  return stretches.findIndex(([start, end]) => start - EDGE_S <= t_ref_s && t_ref_s <= end + EDGE_S);
}

/**
 * The markers that have a place on the reference, in its order; without those that were rejected.
 * @returns {{id: string, name: string, t_ref_s: number}[]}
 */
export function onTrail(markers) {
  return markers
    .filter((m) => m.t_ref_s !== null && m.state !== "rejected")
    .map(({ id, name, t_ref_s }) => ({ id, name, t_ref_s }))
    .sort((a, b) => a.t_ref_s - b.t_ref_s);
}

/** How many of the trail's `marks` lie where the new run does not show the trail. */
export function nNotShown(map, marks) {
  const stretches = supportRef(map);
  return marks.filter((m) => stretchOf(stretches, m.t_ref_s) < 0).length;
}

/** The splits as a CSV file's text, in seconds. */
export function csvOf(splits) {
  const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
  const rows = splits.map((s) => [
    quoted(s.from), quoted(s.to),
    ...[s.fromRef_s, s.toRef_s, s.ref_s, s.new_s, s.difference_s, s.sum_s, s.error_s].map((t) => t.toFixed(3)),
  ]);
  const header = "from,to,from_ref_s,to_ref_s,reference_s,new_s,difference_s,cumulative_s,expected_error_s";
  return [header, ...rows.map((row) => row.join(","))].map((line) => `${line}\r\n`).join("");
}

/** One standard error of t_ref at `t_new_s`, in seconds; NaN where the map has no support. */
export function errorRef(map, t_new_s) {
  return map.supports(t_new_s) ? interpolated(map.knots.tNew, map.knots.se, t_new_s) : NaN;
}

/** Whether a recording has a track with points. */
export function hasTrack(track) {
  return track !== null && track.t_s.length > 1;
}

/** What a track says at `t_s`, by straight lines between its points; NaN where it says nothing. */
export function trackAt(track, what, t_s) {
  const times = track.t_s;
  if (!(t_s >= times[0] && t_s <= times.at(-1))) return NaN;
  const k = intervalOf(times, t_s);
  const [a, b] = [track[what][k], track[what][k + 1]];
  return a === null || b === null ? NaN : a + ((b - a) * (t_s - times[k])) / (times[k + 1] - times[k]);
}

/**
 * A track's points in metres east and north of another's origin (equirectangular, with the radii of WGS 84 there).
 * @returns {{t_s: number[], east: number[], north: number[], isKnown: boolean[]}}
 */
export function onPlaneOf(track, origin) {
  const [lat, lon] = origin;
  const radians = Math.PI / 180;
  const squeeze = 1 - ECCENTRICITY_SQUARED * Math.sin(lat * radians) ** 2;
  const across_m = EQUATOR_RADIUS_M / Math.sqrt(squeeze);
  const along_m = (across_m * (1 - ECCENTRICITY_SQUARED)) / squeeze;
  const shortWay = ((((track.origin[1] - lon + 180) % 360) + 360) % 360) - 180;
  const east_m = shortWay * radians * across_m * Math.cos(lat * radians);
  const north_m = (track.origin[0] - lat) * radians * along_m;
  return {
    t_s: track.t_s,
    east: track.east_m.map((east) => east + east_m),
    north: track.north_m.map((north) => north + north_m),
    isKnown: track.speed_mps.map((speed) => speed !== null),
  };
}

/** `y` at `x` by straight lines through ascending `xs`; the ends stand for all beyond. */
export function interpolated(xs, ys, x) {
  if (x <= xs[0]) return ys[0];
  if (x >= xs.at(-1)) return ys.at(-1);
  const k = intervalOf(xs, x);
  return ys[k] + ((ys[k + 1] - ys[k]) * (x - xs[k])) / (xs[k + 1] - xs[k]);
}

/** The index of the interval of ascending `xs` that holds `x`, or of the nearest. */
export function intervalOf(xs, x) {
  let [low, high] = [0, xs.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle;
    else high = middle;
  }
  return low;
}

// --- in a sentence ---------------------------------------------------------------------------------------

/** Who was faster, by how much, and where that came about. */
export function sayGained(map, splits) {
  const [from, to] = [supportRef(map)[0][0], supportRef(map).at(-1)[1]];
  const lost_s = lostAt(map, to);
  const shared = `over the ${clock(to - from)} of the reference that both show`;
  const faster = lost_s < 0 ? "faster" : "slower";
  const outcome = Math.abs(lost_s) < WORTH_A_WORD_S
    ? `The new run is as fast as the reference ${shared}`
    : `The new run is ${Math.abs(lost_s).toFixed(1)} s ${faster} than the reference ${shared}`;
  const most = (sign) => splits.reduce((best, s) => (sign * (s.difference_s - best.difference_s) > 0 ? s : best));
  const parts = [["gains", most(-1), -1], ["loses", most(1), 1]]
    .filter(([, split, sign]) => splits.length > 1 && sign * split.difference_s > WORTH_A_WORD_S)
    .map(([verb, s]) => `${verb} most between ${s.from} and ${s.to} (${difference(s.difference_s, 1)})`);
  return parts.length ? `${outcome}; it ${parts.join(" and ")}.` : `${outcome}.`;
}

export function sayLikeness({ margin, coverage }) {
  const covers = `The map covers ${percent(coverage)} of the new run.`;
  if (margin === null) return covers;
  const byChance = percent(Math.max(0, 1 - margin));
  return margin > 0.5
    ? `${covers} Nothing else fits nearly as well: by chance ${byChance} of that likeness would be found.`
    : `${covers} Chance fits nearly as well: it would find ${byChance} of that likeness.`;
}

export function saySightings({ p50_s, p90_s, verified_frac }, n) {
  const [half, nineInTen] = [p50_s, p90_s].map((t) => t.toFixed(2));
  return `Half of the ${n} sightings lie within ${half} s of the map and nine in ten within ${nineInTen} s; `
    + `${percent(verified_frac)} were verified by key points.`;
}

/** @param {number[]} ref_mps both along the trail, NaN where unknown */
export function saySpeed(ref_mps, new_mps) {
  const top = (speeds) => Math.max(0, ...speeds.filter((v) => !Number.isNaN(v))).toFixed(1);
  const [ref, run] = [ref_mps, new_mps].map(top);
  return `By GPS the reference reaches ${ref} m/s and the new run ${run} m/s.`;
}

export function sayPace(tRef, paces) {
  const known = tRef.map((t, k) => [t, paces[k]]).filter(([, pace]) => !Number.isNaN(pace));
  const by = (is) => known.reduce((best, one) => (is(one[1], best[1]) ? one : best));
  const [slowest, fastest] = [by((a, b) => a < b), by((a, b) => a > b)];
  return `Against the reference the new run is slowest at ${clock(slowest[0])} (${inPace(slowest[1])}) and fastest at `
    + `${clock(fastest[0])} (${inPace(fastest[1])}).`;
}

/** A slope of the map in words. */
export function inPace(pace) {
  const bounded = Math.min(Math.max(pace, PACE_RANGE[0]), PACE_RANGE[1]);
  if (pace < 0.1) return "it all but stands";
  return `${bounded < pace ? "more than " : ""}${bounded.toFixed(2)}× as fast`;
}

export function sayHeight(heights_m) {
  const known = heights_m.filter((h) => !Number.isNaN(h));
  const [first, last] = [known[0], known.at(-1)];
  const [from, to, by, high, low] = [first, last, Math.abs(last - first), Math.max(...known), Math.min(...known)]
    .map((height) => `${height.toFixed(0)} m`);
  const lower = last < first ? "lower" : "higher";
  return `From ${from} to ${to} above sea level, ${by} ${lower}; highest ${high}, lowest ${low}.`;
}

/** How long a track is, in metres, without what nobody knows of it. */
export function lengthOf({ east_m, north_m, speed_mps }) {
  const isKnown = (k) => speed_mps[k] !== null && speed_mps[k + 1] !== null;
  const steps_m = east_m.slice(1).map((east, k) => Math.hypot(east - east_m[k], north_m[k + 1] - north_m[k]));
  return steps_m.reduce((sum, step_m, k) => (isKnown(k) ? sum + step_m : sum), 0);
}
