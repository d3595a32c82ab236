/** Drawing: colours of the theme, one cursor for all plots, and what every plot does with pointer and keys. */

import { clock } from "./format.js";
import { html, useLayoutEffect, useRef } from "./lib.js";
import { intervalOf } from "./pictures_data.js";
import uPlot from "../vendor/uplot.js";

/** From the plot's left edge to its first moment, the same in all so that they line up; and room for the clock. */
const LEFT_PX = 58;
const RIGHT_PX = 10;
const FONT = "12px system-ui, sans-serif";
const TIME_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const HIGH_PX = 250;
const N_STEPS = 200;
const BIG_STEP = 10;

// --- colours ---------------------------------------------------------------------------------------------

const resolved = new Map();
const probe = document.createElement("i");

/** What the CSS variable `name` is in the present theme, as canvases take it. */
export function colour(name) {
  if (!probe.isConnected) {
    probe.hidden = true;
    document.body.append(probe);
  }
  if (!resolved.has(name)) {
    probe.style.color = `var(${name})`;
    resolved.set(name, getComputedStyle(probe).color);
  }
  return resolved.get(name);
}

/** Red, green and blue of that colour, 0 to 255. */
export function channels(name) {
  return colour(name).match(/[\d.]+/g).slice(0, 3).map(Number);
}

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => resolved.clear());

/** Call `draw` when the theme changes; gives what ends that. */
export function onTheme(draw) {
  dark.addEventListener("change", draw);
  return () => dark.removeEventListener("change", draw);
}

/** Have a style sheet that only this part of the page needs; gives when it counts. */
export function styled(href) {
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  const link = Object.assign(document.createElement("link"), { rel: "stylesheet", href });
  return new Promise((resolve) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", resolve);
    document.head.append(link);
  });
}

// --- the cursor ------------------------------------------------------------------------------------------

/** The moment that a person points at, on both clocks (NaN: that run does not show it). Event "move". */
export class Cursor extends EventTarget {
  moment = null;
  at = null;

  /**
   * @param {{tNew: number, tRef: number} | null} moment
   * @param {{x: number, top: number, bottom: number} | null} at what is looked at, in the window's pixels
   */
  point(moment, at = null) {
    if (moment === null && this.moment === null) return;
    this.moment = moment;
    this.at = at;
    this.dispatchEvent(new Event("move"));
  }
}

// --- a plot in the page ----------------------------------------------------------------------------------

/** Go there with the players. */
function seek(pair, { tNew, tRef }) {
  const isInNew = !Number.isNaN(tNew);
  if (isInNew) pair.seekNew(tNew);
  // Locked, the reference follows by itself.
  if (!pair.isLocked || !isInNew) pair.seekRef(tRef);
}

/**
 * A plot with its title, a sentence on what it shows, and its key.
 *
 * `make(host)` draws it into `host` and gives {momentAt(x, y), placeOf(moment), mark(moment, playhead), resize(),
 * draw(), close()}, with places in the window's pixels; it is made anew when `make` changes. `readout(moment)` is what
 * stands there, in words. `stage` has what the plots share: {cursor, pair, map, span: [first, last], gaps, marked},
 * `span` and `gaps` in seconds of the reference; `marked` is a store of {marks}: a change of it draws them again.
 */
export function Plot({ title, summary, keys = [], note = "", readout, make, stage, name }) {
  const host = useRef();
  const output = useRef();
  const made = useRef(null);
  const id = `plot-${name}`;
  const { cursor, pair, map, span } = stage;

  // Before anybody can point at it, or leave.
  useLayoutEffect(() => {
    const plot = make(host.current);
    let width_px = host.current.clientWidth;
    made.current = plot;
    const playhead = () => ({ tNew: pair.t_new_s, tRef: pair.t_ref_s });
    const mark = () => plot.mark(cursor.moment, playhead());
    const tell = () => {
      mark();
      const { moment } = cursor;
      output.current.textContent = moment === null ? "" : readout(moment);
      const now = moment ?? playhead();
      host.current.setAttribute("aria-valuenow", Math.min(Math.max(now.tRef, span[0]), span[1]).toFixed(2));
      host.current.setAttribute("aria-valuetext", `${clock(now.tRef, 1)} of the reference: ${readout(now)}`);
    };
    const draw = () => {
      plot.draw();
      mark();
    };
    const size = new ResizeObserver(() => {
      // It tells of the size at first too.
      if (host.current.clientWidth === width_px) return;
      width_px = host.current.clientWidth;
      plot.resize();
      mark();
    });
    size.observe(host.current);
    cursor.addEventListener("move", tell);
    pair.addEventListener("time", mark);
    const noTheme = onTheme(draw);
    const noMarks = stage.marked.subscribe(draw);
    tell();
    return () => {
      size.disconnect();
      cursor.removeEventListener("move", tell);
      pair.removeEventListener("time", mark);
      noTheme();
      noMarks();
      plot.close();
    };
  }, [make, readout, stage]);

  /** What is not to be hidden there: the whole of a low plot, and of a high one what is pointed at. */
  const around = ({ x, y }) => {
    const box = host.current.getBoundingClientRect();
    return box.height < HIGH_PX ? { x, top: box.top, bottom: box.bottom } : { x, top: y, bottom: y };
  };
  const pointed = (event) => {
    const at = { x: event.clientX, y: event.clientY };
    cursor.point(made.current.momentAt(at.x, at.y), around(at));
  };
  const key = (event) => {
    const to = step(event, cursor.moment?.tRef ?? pair.t_ref_s, span);
    if (to === null || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "Enter") seek(pair, cursor.moment ?? { tNew: pair.t_new_s, tRef: pair.t_ref_s });
    else if (event.key === "Escape") cursor.point(null);
    else {
      const moment = { tNew: map.toNew(to), tRef: to };
      cursor.point(moment, around(made.current.placeOf(moment)));
    }
  };
  const click = (event) => {
    const moment = made.current.momentAt(event.clientX, event.clientY);
    if (moment !== null) seek(pair, moment);
  };
  return html`
    <figure class=${`plot ${name}`} data-plot=${name}>
      <figcaption>
        <h3 id=${`${id}-title`}>${title}</h3>
        <span class="readout number" ref=${output}></span>
        <p class="quiet small" id=${`${id}-says`}>${summary}</p>
      </figcaption>
      <div class="host" ref=${host} tabindex="0" role="slider"
        aria-labelledby=${`${id}-title`} aria-describedby=${`${id}-says`}
        aria-valuemin=${span[0].toFixed(2)} aria-valuemax=${span[1].toFixed(2)} aria-valuenow=${span[0].toFixed(2)}
        onPointerMove=${pointed} onPointerDown=${pointed} onPointerLeave=${() => cursor.point(null)}
        onPointerCancel=${() => cursor.point(null)} onBlur=${() => cursor.point(null)}
        onClick=${click} onKeyDown=${key}></div>
      ${keys.length > 0 && html`<ul class="plot-key small quiet">${keys.map(({ text, look }) => html`
        <li key=${text}><i class=${`sign ${look}`}></i>${text}</li>`)}</ul>`}
      ${note && html`<p class="quiet small">${note}</p>`}
    </figure>`;
}

/** Where a key takes the cursor; null for keys that are not the plot's own. */
function step({ key, shiftKey }, from_s, [first_s, last_s]) {
  const step_s = ((last_s - first_s) / N_STEPS) * (shiftKey ? BIG_STEP : 1);
  const to_s = {
    ArrowLeft: from_s - step_s,
    ArrowDown: from_s - step_s,
    ArrowRight: from_s + step_s,
    ArrowUp: from_s + step_s,
    PageDown: from_s - step_s * BIG_STEP,
    PageUp: from_s + step_s * BIG_STEP,
    Home: first_s,
    End: last_s,
    Enter: from_s,
    Escape: from_s,
  }[key];
  return to_s === undefined ? null : Math.min(Math.max(to_s, first_s), last_s);
}

// --- values along the trail ------------------------------------------------------------------------------

/**
 * A function that draws values against the reference's time with uPlot, as `Plot` wants it.
 *
 * `data` is uPlot's, `series` its series without the first (colours as names of CSS variables in `ink` and `shade`),
 * `y` {scale, values, splits, label}; the stage's marks are drawn as lines, with their names where `isNamed`.
 */
export function alongPlot({ data, series, bands = [], y, height_px, isNamed = false, stage }) {
  const { map, span, gaps, marked } = stage;
  return (host) => {
    const u = new uPlot(
      {
        width: Math.max(host.clientWidth, 120),
        height: height_px,
        padding: [isNamed ? 18 : 6, RIGHT_PX, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        select: { show: false },
        scales: { x: { time: false, range: () => span }, y: y.scale },
        axes: [
          axis({ size: 26, space: 56, incrs: TIME_STEPS_S, values: (_, ticks) => ticks.map((t_s) => clock(t_s)) }),
          axis({ size: LEFT_PX, space: 28, values: y.values, splits: y.splits }),
        ],
        series: [{}, ...series.map(inked)],
        bands: bands.map((band) => ({ series: band.series, dir: band.dir, fill: () => colour(band.shade) })),
        hooks: {
          drawClear: [(plot) => shadeGaps(plot, gaps)],
          draw: [(plot) => drawMarks(plot, marked.get().marks, isNamed)],
        },
      },
      data,
      host,
    );
    const cursorLine = lineIn(u.over, "cursor");
    const playLine = lineIn(u.over, "playhead");
    const stand = (line, t_ref_s) => {
      const isSeen = t_ref_s >= span[0] && t_ref_s <= span[1];
      line.hidden = !isSeen;
      if (isSeen) line.style.transform = `translateX(${u.valToPos(t_ref_s, "x")}px)`;
    };
    return {
      momentAt(x) {
        const box = u.over.getBoundingClientRect();
        const t_ref_s = u.posToVal(Math.min(Math.max(x - box.left, 0), box.width), "x");
        return { tNew: map.toNew(t_ref_s), tRef: t_ref_s };
      },
      placeOf({ tRef }) {
        const box = u.over.getBoundingClientRect();
        return { x: box.left + u.valToPos(tRef, "x"), y: box.top };
      },
      mark(moment, playhead) {
        stand(cursorLine, moment === null ? NaN : moment.tRef);
        stand(playLine, playhead.tRef);
      },
      resize: () => u.setSize({ width: Math.max(host.clientWidth, 120), height: height_px }),
      draw: () => u.redraw(false, true),
      close: () => u.destroy(),
    };
  };
}

function inked({ ink, shade, ...series }) {
  const coloured = { ...series };
  if (ink) coloured.stroke = () => colour(ink);
  if (shade) coloured.fill = () => colour(shade);
  if (series.points) {
    const fill = series.points.isFull ? ink : "--raised";
    coloured.points = { ...series.points, stroke: () => colour(ink), fill: () => colour(fill) };
  }
  return { width: 1.5, ...coloured, points: coloured.points ?? { show: false } };
}

function axis(axis) {
  const grid = { width: 1, stroke: () => colour("--grid") };
  const look = { stroke: () => colour("--quiet"), font: FONT, ticks: { show: false }, grid };
  return { ...axis, ...look, filter: (_, splits) => splits };
}

/** A line across `parent` that is moved without drawing anything anew. */
export function lineIn(parent, className) {
  const line = document.createElement("div");
  line.className = `hair ${className}`;
  parent.append(line);
  return line;
}

/** Tint what the map does not cover. */
function shadeGaps(u, gaps) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.fillStyle = colour("--unknown");
  const within = (x) => Math.min(Math.max(x, bbox.left), bbox.left + bbox.width);
  for (const ends of gaps) {
    const [left, right] = ends.map((t) => within(u.valToPos(t, "x", true)));
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
  }
  ctx.restore();
}

/** A line at each marker, and above it its name where there is room. */
function drawMarks(u, marks, isNamed) {
  const { ctx, bbox } = u;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour("--mark");
  ctx.fillStyle = colour("--quiet");
  ctx.font = FONT.replace(/^\d+/, String(11 * scale));
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  ctx.setLineDash([2 * scale, 3 * scale]);
  ctx.lineWidth = scale;
  let free = bbox.left;
  let drawn = -1;
  ctx.beginPath();
  for (const { name, t_ref_s } of marks) {
    const x = Math.round(u.valToPos(t_ref_s, "x", true)) + 0.5;
    // Where many lie on one pixel, one is seen.
    if (x === drawn || x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    drawn = x;
    if (!isNamed || x < free) continue;
    const width = ctx.measureText(name).width;
    if (x + width > bbox.left + bbox.width + RIGHT_PX * scale) continue;
    ctx.fillText(name, x, bbox.top - 3 * scale);
    free = x + width + 8 * scale;
  }
  ctx.stroke();
  ctx.restore();
}

// --- canvases of our own ---------------------------------------------------------------------------------

/** Round moments for an axis from `first_s` to `last_s` on `length_px`, at least `apart_px` from each other. */
export function ticks([first_s, last_s], length_px, apart_px) {
  const least_s = ((last_s - first_s) * apart_px) / length_px;
  const step_s = TIME_STEPS_S.find((step) => step >= least_s) ?? TIME_STEPS_S.at(-1);
  const n = Math.floor(last_s / step_s) - Math.ceil(first_s / step_s) + 1;
  return Array.from({ length: Math.max(n, 0) }, (_, k) => (Math.ceil(first_s / step_s) + k) * step_s);
}

/** A canvas that fills `host`, `aspect` times as high as wide, with a context in the page's pixels. */
export function canvasIn(host, aspect) {
  const canvas = document.createElement("canvas");
  host.append(canvas);
  return {
    canvas,
    /** @returns {{ctx: CanvasRenderingContext2D, width: number, height: number, scale: number}} blank, with FONT */
    blank() {
      const scale = devicePixelRatio;
      const width = Math.max(host.clientWidth, 120);
      const height = Math.round(width * aspect);
      Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
      const ctx = canvas.getContext("2d");
      ctx.scale(scale, scale);
      ctx.font = FONT;
      return { ctx, width, height, scale };
    },
  };
}

/** Which of the moments `times` is nearest to each of `n` places that lie evenly over `span`. */
export function nearestRows(times, [from, to], n) {
  return Array.from({ length: n }, (_, i) => {
    const t = from + ((i + 0.5) / n) * (to - from);
    const k = intervalOf(times, t);
    return k + 1 < times.length && times[k + 1] - t < t - times[k] ? k + 1 : k;
  });
}
