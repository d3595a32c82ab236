/** The pictures of a run: how it lies on the reference, where time went, how fast, how high, and where. */

import { ask, complain, part } from "./api.js";
import { clock, count, difference, percent } from "./format.js";
import { Store, html, useEffect, useLayoutEffect, useMemo, useRef, useState, useStore } from "./lib.js";
import { likenessPlot, sketchPlot } from "./pictures_canvas.js";
import {
  NINE_IN_TEN, PACE_RANGE, alongTrail, csvOf, errorRef, hasTrack, inPace, lengthOf, lostAt, nNotShown, onTrail,
  sayGained, sayHeight, sayLikeness, sayPace, saySightings, saySpeed, splitsOf, supportRef, trackAt,
} from "./pictures_data.js";
import { Pair, sourceOf } from "./players.js";
import { Cursor, Plot, alongPlot, styled } from "./plots.js";

const STYLES = ["/web/vendor/uplot.css", "/web/css/pictures.css"];
const HIGH_PX = 190;
const LOW_PX = 150;
/** Beyond the shared stretch, as a share of it, so that its ends are seen. */
const BEYOND = 0.02;
/** Residuals up to that are drawn to scale, larger ones ever more squeezed. */
const TRUE_TO_SCALE_S = 0.1;
const RESIDUAL_TICKS_S = [0.03, 0.1, 0.3, 1, 3, 10, 30, 100];
const PACE_TICKS = [1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8];
const PACE_WORDS = ["⅛×", "¼×", "½×", "1×", "2×", "4×", "8×"];
/** From what is looked at to the two frames, and from those to the window's edge. */
const BESIDE_PX = 12;
const EDGE_PX = 4;
/** The frames' videos are kept that long after nobody points any more. */
const LINGER_MS = 3000;
/** So many splits more are listed at a time. */
const PAGE_OF_SPLITS = 200;
const NO_TRACK = { t_s: [], east_m: [], north_m: [], ele_m: [], speed_mps: [], origin: null };

const orGap = (value) => (Number.isNaN(value) ? null : value);
const seconds = (value, digits = 1) => (Number.isNaN(value) ? "not shown" : difference(value, digits));

/** Everything that is drawn of the open run; `pair` are its players. */
export function Pictures({ run, pair }) {
  const { recording, reference, sync, map, mapDoc, markers } = useStore(run.store);
  const [problem, setProblem] = useState("");
  const refused = (error) => (error.status === 409 ? setProblem(error.message) : complain(error));
  const isStyled = useLoaded(() => Promise.all(STYLES.map(styled)), [], refused);
  // A recording's track does not change with the map.
  const tracks = useLoaded(async (signal) => {
    const [newTrack, refTrack] = await Promise.all([recording, reference].map((one) => trackOf(one, signal)));
    return { newTrack, refTrack };
  }, [recording.id, reference?.id], refused);
  const drawn = useLoaded(async (signal) => {
    if (map === null) return null;
    const figures = await ask(`/syncs/${part(sync.id)}/figures`, { signal });
    setProblem("");
    return { map, figures };
  }, [map, sync?.id], refused);
  if (map === null) return html`<p class="quiet">There are pictures once the run lies on a trail.</p>`;
  if (problem) return html`<p class="notice">${problem}</p>`;
  if (!(isStyled && tracks && drawn)) return html`<p class="quiet" role="status">Drawing …</p>`;
  return html`<${Board} ...${drawn} tracks=${tracks} anchors=${mapDoc.anchors} markers=${markers} pair=${pair}
    recording=${recording} reference=${reference} />`;
}

/** What `load(signal)` gave last; null until then. It is asked anew when one of `deps` changes. */
function useLoaded(load, deps, refused) {
  const [loaded, set] = useState(null);
  useEffect(() => {
    const gone = new AbortController();
    load(gone.signal).then(
      (found) => gone.signal.aborted || set(found), (error) => gone.signal.aborted || refused(error),
    );
    return () => gone.abort();
  }, deps);
  return loaded;
}

/** `value`, or what was given before where that says the same. */
function useSteady(value) {
  const said = useMemo(() => JSON.stringify(value), [value]);
  return useMemo(() => value, [said]);
}

/** A recording's track; one without points, and with the reason, where its files are away. */
async function trackOf(recording, signal) {
  if (recording === null) return NO_TRACK;
  try {
    return await ask(`/recordings/${part(recording.id)}/track`, { signal });
  } catch (error) {
    if (error.status !== 409) throw error;
    return { ...NO_TRACK, problem: error.message };
  }
}

/** All plots on one board; they share one cursor. */
function Board({ map, figures, tracks, anchors, recording, reference, markers, pair }) {
  const cursor = useMemo(() => new Cursor(), []);
  const marks = useSteady(useMemo(() => onTrail(markers), [markers]));
  const stage = useMemo(() => ({ ...stageOf(map, cursor, pair), marked: new Store({ marks }) }), [map, pair]);
  const trail = useMemo(() => alongTrail(map), [map]);
  const splits = useMemo(() => splitsOf(map, marks), [map, marks]);
  const vouched = useSteady(anchors);
  // A plot that has just been made shows them already.
  useLayoutEffect(() => stage.marked.get().marks === marks || stage.marked.set({ marks }), [stage, marks]);
  const given = { map, figures, stage, trail, splits, tracks };
  const { newTrack, refTrack } = tracks;
  // Where files are away, that is said instead.
  const isNowhere = [newTrack, refTrack].every((track) => !hasTrack(track) && !track.problem);
  return html`
    <div class="pictures">
      <div class="board">
        <div class="column">
          <${Gained} ...${given} />
          <${Speed} ...${given} />
          <${Sightings} ...${given} />
          <${Height} ...${given} />
        </div>
        <div class="column">
          <${Likeness} ...${given} anchors=${vouched} recording=${recording} reference=${reference} />
          <${Sketch} ...${given} />
          ${isNowhere && html`
            <p class="hint">Neither run has GPS, so there is no map, no height and no speed in metres a second.
              A GPX or FIT file beside the video, called as the video is, would do.</p>`}
          ${[newTrack, refTrack].map((track) => track.problem && html`<p class="notice">${track.problem}</p>`)}
        </div>
      </div>
      <${Splits} map=${map} splits=${splits} marks=${marks} name=${recording.name} />
      <${Frames} cursor=${cursor} recording=${recording} reference=${reference} />
    </div>`;
}

/** What the plots share, but for the marks: see `Plot`. */
function stageOf(map, cursor, pair) {
  const stretches = supportRef(map);
  const [first, last] = [stretches[0][0], stretches.at(-1)[1]];
  const beyond = (last - first) * BEYOND;
  const span = [Math.max(0, first - beyond), last + beyond];
  const edges = [span[0], ...stretches.flat(), span[1]];
  const gaps = Array.from({ length: edges.length / 2 }, (_, k) => [edges[2 * k], edges[2 * k + 1]]);
  return { map, cursor, pair, span, gaps };
}

// --- along the trail -------------------------------------------------------------------------------------

function Gained({ map, stage, trail, splits }) {
  const drawn = useMemo(() => {
    const lost = trail.tRef.map((t) => lostAt(map, t));
    const worst = Math.max(0.1, ...lost.filter((t) => !Number.isNaN(t)).map(Math.abs));
    const y = {
      scale: { range: (_, low, high) => [Math.min(low, 0) - 0.08 * worst, Math.max(high, 0) + 0.08 * worst] },
      values: (_, ticks) => ticks.map((t) => (t === 0 ? "0 s" : difference(t, ticks[1] - ticks[0] < 1 ? 1 : 0))),
    };
    const part = (keep) => lost.map((t) => (Number.isNaN(t) ? null : keep(t, 0)));
    return {
      make: alongPlot({
        data: [trail.tRef, part(Math.max), part(Math.min), lost.map(orGap)],
        series: [{ shade: "--lost-ground", width: 0 }, { shade: "--gained-ground", width: 0 }, { ink: "--text" }],
        y, height_px: HIGH_PX, isNamed: true, stage,
      }),
      readout: ({ tRef }) => seconds(lostAt(map, tRef), 2),
    };
  }, [map, trail, stage]);
  return html`<${Plot} ...${drawn} name="gained" title="Time lost and gained" stage=${stage}
    summary=${sayGained(map, splits)}
    keys=${[{ look: "area lost", text: "behind the reference" }, { look: "area gained", text: "ahead of it" },
      { look: "line dotted", text: "markers" }, { look: "area unknown", text: "not in both runs" }]} />`;
}

function Speed({ map, stage, trail, tracks }) {
  const { newTrack, refTrack } = tracks;
  const isKnown = hasTrack(newTrack) && hasTrack(refTrack);
  const { plot, ...drawn } = useMemo(
    () => (isKnown ? speedOf(newTrack, refTrack, trail) : paceOf(map, trail)), [map, trail, tracks],
  );
  const make = useMemo(() => alongPlot({ ...plot, height_px: LOW_PX, stage }), [plot, stage]);
  return html`<${Plot} make=${make} readout=${drawn.readout} name="speed" title=${drawn.title} stage=${stage}
    summary=${drawn.summary} keys=${drawn.keys} note=${drawn.note} />`;
}

/** Both runs' speeds at the same place, as GPS has them. */
function speedOf(newTrack, refTrack, trail) {
  const atRef = (t_ref_s) => trackAt(refTrack, "speed_mps", t_ref_s);
  const atNew = (t_new_s) => trackAt(newTrack, "speed_mps", t_new_s);
  const [ref, run] = [trail.tRef.map(atRef), trail.tNew.map(atNew)];
  const say = (v) => (Number.isNaN(v) ? "–" : `${v.toFixed(1)} m/s`);
  return {
    title: "Speed",
    summary: saySpeed(ref, run),
    keys: [{ look: "line new", text: "new run" }, { look: "line ref dashed", text: "reference" }],
    note: "From GPS in both runs, averaged over two seconds.",
    readout: ({ tNew, tRef }) => `new ${say(atNew(tNew))}, reference ${say(atRef(tRef))}`,
    plot: {
      data: [trail.tRef, ref.map(orGap), run.map(orGap)],
      series: [{ ink: "--ref", dash: [6, 4] }, { ink: "--new", width: 2 }],
      y: {
        scale: { range: (_, low, high) => [0, Math.max(high * 1.08, 1)] },
        values: (_, ticks) => ticks.map((v) => `${v} m/s`),
      },
    },
  };
}

/** How fast the new run goes against the reference: the map's slope. */
function paceOf(map, trail) {
  const paces = trail.tNew.map((t) => map.slope(t));
  const bounded = paces.map((p) => (Number.isNaN(p) ? null : Math.min(Math.max(p, PACE_RANGE[0]), PACE_RANGE[1])));
  const known = bounded.filter((p) => p !== null);
  const range = [Math.min(0.5, ...known) / 1.1, Math.max(2, ...known) * 1.1];
  const splits = PACE_TICKS.filter((p) => p >= range[0] && p <= range[1]);
  return {
    title: "Pace",
    summary: sayPace(trail.tRef, paces),
    keys: [{ look: "line new", text: "new run against the reference" }],
    note: "GPS is not in both runs, so this is relative: 2× is twice as fast as the reference at that place.",
    readout: ({ tNew }) => (Number.isNaN(map.slope(tNew)) ? "not shown" : inPace(map.slope(tNew))),
    plot: {
      data: [trail.tRef, bounded],
      series: [{ ink: "--new", width: 2 }],
      y: {
        scale: { distr: 3, log: 2, range: () => range },
        splits: () => splits,
        values: (_, ticks) => ticks.map((p) => PACE_WORDS[PACE_TICKS.indexOf(p)]),
      },
    },
  };
}

function Sightings({ map, figures, stage, trail }) {
  const drawn = useMemo(() => {
    const { pairs } = figures;
    const rows = [
      ...pairs.t_ref.map((t_ref_s, k) => [t_ref_s, pairs.t_new[k], pairs.residual_s[k], pairs.n_inliers[k]]),
      // The band has its own shape between sightings.
      ...trail.tRef.map((t_ref_s, k) => [t_ref_s, trail.tNew[k], null, 0]),
    ].sort((a, b) => a[0] - b[0]);
    const half = rows.map(([, t_new_s]) => orGap(NINE_IN_TEN * errorRef(map, t_new_s)));
    const largest = Math.max(TRUE_TO_SCALE_S, ...half, ...pairs.residual_s.map(Math.abs)) * 1.15;
    const ticks = RESIDUAL_TICKS_S.filter((t) => t <= largest).filter((t, k, all) => k % 2 === (all.length - 1) % 2);
    return {
      make: alongPlot({
        data: [
          rows.map(([t_ref_s]) => t_ref_s), half, half.map((t) => t && -t),
          rows.map(([, , residual, n]) => (n > 0 ? residual : null)),
          rows.map(([, , residual, n]) => (n > 0 ? null : residual)),
        ],
        series: [
          { ink: "--map", width: 1 }, { ink: "--map", width: 1 },
          { ink: "--text", paths: () => null, points: { show: true, size: 4, width: 1, isFull: true } },
          { ink: "--quiet", paths: () => null, points: { show: true, size: 5, width: 1 } },
        ],
        bands: [{ series: [1, 2], shade: "--map-ground" }],
        y: {
          scale: { distr: 4, asinh: TRUE_TO_SCALE_S, range: () => [-largest, largest] },
          splits: () => [...ticks.map((t) => -t).reverse(), 0, ...ticks],
          values: (_, splits) => splits.map((t) => (t === 0 ? "0 s" : `${t < 0 ? "−" : "+"}${Math.abs(t)}`)),
        },
        height_px: LOW_PX, stage,
      }),
      readout: ({ tNew }) => {
        const error_s = NINE_IN_TEN * errorRef(map, tNew);
        return Number.isNaN(error_s) ? "not shown" : `map good to ± ${error_s.toFixed(2)} s`;
      },
    };
  }, [map, figures, trail, stage]);
  const witnesses = Object.entries(figures.witnesses).filter(([, share]) => share >= 0.005)
    .sort(([, a], [, b]) => b - a).map(([who, share]) => `${who} ${percent(share)}`).join(", ");
  return html`<${Plot} ...${drawn} name="sightings" title="How far sightings lie off the map" stage=${stage}
    summary=${saySightings(figures.quality, figures.pairs.t_new.length)}
    keys=${[{ look: "point full", text: "verified by key points" },
      { look: "point hollow", text: "by the whole picture" },
      { look: "area map", text: "map's own error, nine cases in ten" }]}
    note=${`Seconds of the reference. What the map rests on: ${witnesses}.`} />`;
}

function Height({ stage, trail, tracks }) {
  const drawn = useMemo(() => {
    const { newTrack, refTrack } = tracks;
    const refs = trail.tRef.map((t) => (hasTrack(refTrack) ? trackAt(refTrack, "ele_m", t) : NaN));
    const isOfRef = refs.some((h) => !Number.isNaN(h));
    const news = trail.tNew.map((t) => (hasTrack(newTrack) ? trackAt(newTrack, "ele_m", t) : NaN));
    const heights = isOfRef ? refs : news;
    if (heights.every(Number.isNaN)) return null;
    const at = ({ tNew, tRef }) => (isOfRef ? trackAt(refTrack, "ele_m", tRef) : trackAt(newTrack, "ele_m", tNew));
    const known = heights.filter((h) => !Number.isNaN(h));
    const [low, high] = [Math.min(...known), Math.max(...known)];
    const margin = Math.max((high - low) * 0.08, 1);
    return {
      whose: isOfRef ? "reference" : "new run",
      summary: sayHeight(heights),
      make: alongPlot({
        data: [trail.tRef, heights.map(orGap)],
        series: [{ ink: isOfRef ? "--ref" : "--new", shade: "--height-ground" }],
        y: { scale: { range: () => [low - margin, high + margin] }, values: (_, ticks) => ticks.map((h) => `${h} m`) },
        height_px: LOW_PX, stage,
      }),
      readout: (moment) => (Number.isNaN(at(moment)) ? "–" : `${at(moment).toFixed(0)} m`),
    };
  }, [trail, stage, tracks]);
  return drawn && html`<${Plot} make=${drawn.make} readout=${drawn.readout} name="height" title="Height" stage=${stage}
    summary=${drawn.summary} note=${`From the ${drawn.whose}'s GPS.`} />`;
}

// --- seen from above -------------------------------------------------------------------------------------

function Likeness({ map, figures, stage, anchors, recording, reference }) {
  const [newEnd_s, refEnd_s] = [recording.duration_s, reference.duration_s];
  const drawn = useMemo(() => ({
    make: likenessPlot(figures.likeness, { map, anchors, newEnd_s, refEnd_s }),
    readout: ({ tNew, tRef }) => `new ${clock(tNew, 1)}, reference ${clock(tRef, 1)}`,
  }), [map, figures, anchors, newEnd_s, refEnd_s]);
  const vouched = count(anchors.length, "place that you vouch for", "places that you vouch for");
  return html`<${Plot} ...${drawn} name="likeness" title="Where the new run lies on the reference" stage=${stage}
    summary=${sayLikeness(figures.quality)}
    keys=${[{ look: "ramp", text: "the stronger, the more alike" }, { look: "line map", text: "time map" },
      ...(anchors.length ? [{ look: "diamond", text: vouched }] : [])]} />`;
}

function Sketch({ stage, tracks }) {
  const { newTrack, refTrack } = tracks;
  const isThere = hasTrack(newTrack) || hasTrack(refTrack);
  const drawn = useMemo(() => isThere && {
    make: sketchPlot({ stage, newTrack, refTrack }),
    readout: ({ tRef }) => clock(tRef, 1),
  }, [stage, tracks]);
  if (!isThere) return null;
  const runs = [["reference", refTrack], ["new run", newTrack]];
  const sayLength = (track) => (hasTrack(track) ? `is ${lengthOf(track).toFixed(0)} m long` : "has no GPS");
  const lengths = runs.map(([who, track]) => `the ${who} ${sayLength(track)}`).join(", ");
  return html`<${Plot} ...${drawn} name="sketch" title="From above" stage=${stage} summary=${`By GPS ${lengths}.`}
    keys=${[{ look: "line ref thick", text: "reference" }, { look: "line new", text: "new run" }]}
    note="North is up. Receivers err by some metres, so lines side by side may be one." />`;
}

// --- from marker to marker -------------------------------------------------------------------------------

function Splits({ map, splits, marks, name }) {
  const region = useRef();
  const [atMost, allow] = useState(PAGE_OF_SPLITS);
  const nMissing = useMemo(() => nNotShown(map, marks), [map, marks]);
  const rows = useMemo(() => splits.slice(0, atMost).map(row), [splits, atMost]);
  const nMore = Math.min(splits.length - rows.length, PAGE_OF_SPLITS);
  const more = () => {
    // With the last of them the button goes.
    if (rows.length + nMore === splits.length) region.current.focus();
    allow(rows.length + nMore);
  };
  const missing = count(nMissing, "marker lies", "markers lie");
  return html`
    <div class="splits">
      <div class="acts"><h3 id="splits-title">From marker to marker</h3>
        <button type="button" onClick=${() => saveCsv(splits, name)}>Save as CSV</button></div>
      <div class="scrolls" ref=${region} tabindex="0" role="region" aria-labelledby="splits-title">
        <table>
          <thead><tr><th scope="col">From</th><th scope="col">To</th>
            ${["Reference", "New run", "Difference", "±", "Total"].map((head) => html`
              <th key=${head} scope="col" class="number">${head}</th>`)}</tr></thead>
          <tbody>${rows}</tbody>
        </table>
      </div>
      ${nMore > 0 && html`<p class="acts more"><span>${rows.length} of ${splits.length} are listed.</span>
        <button type="button" onClick=${more}>Show ${nMore} more</button></p>`}
      <p class="quiet small">+ is slower than the reference. Nine in ten differences are within ± of the truth.
        ${nMissing > 0 && ` ${missing} where the new run does not show the trail.`}
      </p>
    </div>`;
}

const row = (split) => html`
  <tr key=${split.id}><td>${split.from}</td><td>${split.to}</td>
    <td class="number">${clock(split.ref_s, 2)}</td><td class="number">${clock(split.new_s, 2)}</td>
    <td class=${`number ${split.difference_s < 0 ? "gained" : "lost"}`}>${difference(split.difference_s)}</td>
    <td class="number quiet">${split.error_s.toFixed(2)} s</td>
    <td class="number">${difference(split.sum_s)}</td></tr>`;

function saveCsv(splits, name) {
  const url = URL.createObjectURL(new Blob([csvOf(splits)], { type: "text/csv" }));
  const download = `${name.replace(/\.[^.]*$/, "")}_splits.csv`;
  Object.assign(document.createElement("a"), { href: url, download }).click();
  // The browser has begun to save by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// --- two frames ------------------------------------------------------------------------------------------

/** The frames of both runs at the cursor, beside it. What it shows, the plots say in words. */
function Frames({ cursor, recording, reference }) {
  const box = useRef();
  const slots = { tNew: useRef(), tRef: useRef() };
  const times = { tNew: useRef(), tRef: useRef() };
  useLayoutEffect(() => {
    let frames = null;
    let lingers = null;
    const close = () => {
      clearTimeout(lingers);
      frames?.close();
      frames?.newVideo.remove();
      frames?.refVideo.remove();
      frames = null;
    };
    const show = () => {
      const { moment, at } = cursor;
      box.current.hidden = moment === null;
      clearTimeout(lingers);
      if (moment === null) {
        lingers = setTimeout(close, LINGER_MS);
        return;
      }
      place(box.current, at);
      // Loaded only where somebody points.
      frames ??= openFrames(recording, reference, slots);
      for (const [clockName, seek] of [["tNew", "seekNew"], ["tRef", "seekRef"]]) {
        const isShown = !Number.isNaN(moment[clockName]);
        slots[clockName].current.classList.toggle("blank", !isShown);
        times[clockName].current.textContent = isShown ? clock(moment[clockName], 2) : "does not show it";
        if (isShown) frames[seek](moment[clockName]);
      }
    };
    const look = () => {
      if (!document.hidden) return;
      cursor.point(null);
      close();
    };
    cursor.addEventListener("move", show);
    document.addEventListener("visibilitychange", look);
    return () => {
      cursor.removeEventListener("move", show);
      document.removeEventListener("visibilitychange", look);
      close();
    };
  }, [cursor, recording.id, reference.id]);
  const slot = (name, title, look) => html`
    <div class=${`frame ${look}`}><div class="film" ref=${slots[name]}></div>
      <p class="small"><strong>${title}</strong> <span class="number" ref=${times[name]}></span></p></div>`;
  return html`
    <div class="frames" ref=${box} hidden aria-hidden="true">
      ${slot("tNew", "New run", "new")}${slot("tRef", "Reference", "ref")}
    </div>`;
}

function openFrames(recording, reference, slots) {
  const frames = new Pair({ newSource: sourceOf(recording), refSource: sourceOf(reference), map: null });
  frames.setLocked(false);
  slots.tNew.current.append(frames.newVideo);
  slots.tRef.current.append(frames.refVideo);
  return frames;
}

/** Above what is looked at, or below it where there is no room. */
function place(box, { x, top, bottom }) {
  const { offsetWidth: width, offsetHeight: height } = box;
  const above = top - height - BESIDE_PX;
  const below = Math.min(bottom + BESIDE_PX, innerHeight - height - EDGE_PX);
  box.style.left = `${Math.max(Math.min(x - width / 2, innerWidth - width - EDGE_PX), EDGE_PX)}px`;
  box.style.top = `${above >= EDGE_PX ? above : below}px`;
}
