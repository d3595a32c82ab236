/** The cameras' waveforms above each other on the master's clock, each where it lies; they are moved by hand. */

import { Refused, complain, say } from "./api.js";
import { clock } from "./format.js";
import { debounced, html, useLayoutEffect, useMemo, useRef, useStore } from "./lib.js";
import { Act } from "./desk_acts.js";
import { colour, onTheme } from "./plots.js";
import { Peaks } from "./sessions_peaks.js";
import { madeOf } from "./sessions_store.js";
import { Wav } from "./sessions_wav.js";
import { TRUST, decidedOf, drifts, lies, ms, ppm } from "./sessions_words.js";

/** Heights: the line of times, and each camera's row. */
const AXIS_PX = 24;
const ROW_PX = 68;
const MARGIN_PX = 5;
const LEAST_SPAN_S = 0.02;
const TICK_APART_PX = 90;
const STEPS_S = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
];
/** A hand that moved less has pressed, and not dragged. */
const DRAG_PX = 3;
/** What is more quiet than this share of full scale is noise. */
const QUIET = 0.02;
const DETAIL_MS = 150;
const SPOKEN_EACH_MS = 1000;

const clamp = (x, low, high) => Math.min(Math.max(x, low), Math.max(low, high));

/** What part of the master's clock is in view: `span_s` from `start_s` on, on `width` pixels. */
export class View {
  start_s = 0;
  span_s = Infinity;
  width = 1;
  whole = [0, 0];
  /** While a hand drags a camera, nothing else moves. */
  isHeld = false;

  get isWhole() {
    return this.span_s >= this.whole[1] - this.whole[0];
  }

  /** Fit it to the width and the whole that there is to see; where all was in view, it stays so. */
  measure(width, [begin_s, end_s]) {
    const margin_s = 0.02 * (end_s - begin_s);
    this.width = width;
    if (!this.isHeld) {
      if (this.isWhole) this.fit();
      this.whole = [begin_s - margin_s, end_s + margin_s];
    }
    const [first_s, last_s] = this.whole;
    this.span_s = clamp(this.span_s, LEAST_SPAN_S, last_s - first_s);
    this.start_s = clamp(this.start_s, first_s, last_s - this.span_s);
  }

  x(t_s) {
    return ((t_s - this.start_s) / this.span_s) * this.width;
  }

  t(x) {
    return this.start_s + (x / this.width) * this.span_s;
  }

  /** Show `factor` times as much, with what is at `x` left where it is. */
  zoom(factor, x = this.width / 2) {
    const t_s = this.t(x);
    this.span_s = clamp(this.span_s * factor, LEAST_SPAN_S, this.whole[1] - this.whole[0]);
    this.start_s = t_s - (x / this.width) * this.span_s;
  }

  /** Zoom around the playhead, which comes into view. */
  zoomAt(factor, t_s) {
    if (t_s < this.start_s || t_s > this.start_s + this.span_s) this.start_s = t_s - this.span_s / 2;
    this.zoom(factor, this.x(t_s));
  }

  pan(dx) {
    this.start_s += (dx / this.width) * this.span_s;
  }

  fit() {
    this.span_s = Infinity;
  }

  /** Draws what is in view anew; whoever shows it says how. */
  draw() {}

  /** Turn the page where a moment is out of view. */
  follow(t_s) {
    const x = this.x(t_s);
    if (x < 0 || x > this.width) this.start_s = t_s - 0.1 * this.span_s;
  }
}

/** The shapes of the cameras' sounds: coarse for all of it, and fine for what is looked at closely. */
class Shapes {
  #peaks = new Map();
  #wavs = new Map();
  #fine = new Map();
  #wanted = new Map();

  constructor(open, onNews) {
    Object.assign(this, { open, onNews });
    this.look = debounced(() => this.#loadFine().catch(complain), DETAIL_MS);
  }

  /** Least and most of a camera's sound for each pixel of a stretch of its own clock; null before that is there. */
  of(camera, from_s, step_s, n) {
    const peaks = this.#coarse(camera);
    if (!(peaks instanceof Peaks)) return null;
    let [shown, shift_s] = [peaks, 0];
    if (step_s < peaks.piece_s) {
      const fine = this.#fine.get(camera.label);
      const until_s = from_s + n * step_s;
      const [first_s, last_s] = [clamp(from_s, 0, camera.duration_s), clamp(until_s, 0, camera.duration_s)];
      if (fine && fine.from_s <= first_s && fine.until_s >= last_s) [shown, shift_s] = [fine.peaks, fine.from_s];
      else this.#want(camera, first_s, last_s);
    }
    return Array.from({ length: n }, (_, k) => {
      const at_s = from_s + k * step_s - shift_s;
      return shown.range(at_s, at_s + step_s);
    });
  }

  #coarse(camera) {
    const made = madeOf(this.open.id, camera, "waveform");
    if (made === null) return null;
    if (!this.#peaks.has(made.key)) {
      this.#peaks.set(made.key, "is loaded");
      this.#loadCoarse(made).catch(complain);
    }
    return this.#peaks.get(made.key);
  }

  async #loadCoarse({ url, key }) {
    const answer = await fetch(url);
    if (!answer.ok) throw new Refused(answer.status, "A camera’s waveform is not there; have it taken in once more.");
    this.#peaks.set(key, Peaks.fromFile(await answer.arrayBuffer()));
    this.onNews();
  }

  #want(camera, first_s, last_s) {
    if (last_s <= first_s) return;
    const margin_s = last_s - first_s;
    this.#wanted.set(camera.label, [camera, first_s - margin_s, last_s + margin_s]);
    this.look();
  }

  async #loadFine() {
    const wanted = [...this.#wanted.values()];
    this.#wanted.clear();
    await Promise.all(wanted.map(async ([camera, first_s, last_s]) => {
      const made = madeOf(this.open.id, camera, "audio-wav");
      if (made === null) return;
      if (!this.#wavs.has(made.key)) this.#wavs.set(made.key, Wav.open(made.url));
      const wav = await this.#wavs.get(made.key);
      const from = Math.max(0, Math.floor(first_s * wav.rate_hz));
      const channels = await wav.samples(from, Math.ceil(last_s * wav.rate_hz) + 1);
      const peaks = new Peaks(pairsOf(channels), 1 / wav.rate_hz);
      const ends_s = last_s >= wav.duration_s ? Infinity : last_s;
      this.#fine.set(camera.label, { from_s: from / wav.rate_hz, until_s: ends_s, peaks });
    }));
    this.onNews();
  }
}

/** Each sample with the next, so that what is drawn of them hangs together. */
function pairsOf(channels) {
  const n = channels[0].length;
  const pairs = new Float32Array(2 * n);
  const at = (k) => channels.reduce((sum, channel) => sum + channel[k], 0) / channels.length;
  for (let k = 0; k < n; k += 1) {
    const [one, next] = [at(k), at(Math.min(k + 1, n - 1))];
    pairs[2 * k] = Math.min(one, next);
    pairs[2 * k + 1] = Math.max(one, next);
  }
  return pairs;
}

// --- drawing -----------------------------------------------------------------------------------------------

/** A canvas as large as its box, blank, in CSS pixels. */
function blank(canvas, width, height) {
  const ratio = devicePixelRatio;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const ctx = canvas.getContext("2d");
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.clearRect(0, 0, width, height);
  ctx.font = "12px system-ui, sans-serif";
  return ctx;
}

const heightOf = (rows) => AXIS_PX + rows.length * ROW_PX;

function drawAxis(ctx, view, height) {
  const least_s = (view.span_s * TICK_APART_PX) / view.width;
  const step_s = STEPS_S.find((step) => step >= least_s) ?? STEPS_S.at(-1);
  const digits = Math.max(0, Math.ceil(-Math.log10(step_s) - 1e-9));
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  ctx.lineWidth = 1;
  const first = Math.ceil(view.start_s / step_s);
  for (let k = first; k * step_s <= view.start_s + view.span_s; k += 1) {
    const x = Math.round(view.x(k * step_s)) + 0.5;
    ctx.strokeStyle = colour("--line");
    ctx.beginPath();
    ctx.moveTo(x, 4);
    ctx.lineTo(x, height);
    ctx.stroke();
    ctx.fillStyle = colour("--quiet");
    const text = clock(k * step_s, digits);
    if (x + 4 + ctx.measureText(text).width <= view.width) ctx.fillText(text, x + 4, AXIS_PX / 2);
  }
}

function drawRow(ctx, view, y, { open, shapes, camera }) {
  const { session, selected, drafts } = open.store.get();
  const { offset_s, pace } = open.clockOf(camera.label);
  const [left, right] = [view.x(offset_s), view.x(offset_s + pace * camera.duration_s)];
  const [top, height] = [y + MARGIN_PX, ROW_PX - 2 * MARGIN_PX];
  const isNowhere = open.lies(camera.label).offset_ms === null;
  ctx.beginPath();
  // What lies far out of view is not for a canvas.
  const [from, until] = [Math.max(left, -20), Math.min(right, view.width + 20)];
  if (until > from) ctx.roundRect(from, top, until - from, height, 4);
  ctx.fillStyle = colour("--sunken");
  ctx.fill();
  drawWave(ctx, view, { camera, shapes, offset_s, pace, from, until, middle: top + height / 2, half: height / 2 - 3 },
    camera.label === session.master ? "--ref" : "--new");
  ctx.setLineDash(isNowhere || drafts.has(camera.label) ? [6, 4] : []);
  ctx.lineWidth = camera.label === selected ? 2 : 1;
  ctx.strokeStyle = colour(camera.label === selected ? "--accent" : "--edge");
  ctx.beginPath();
  if (until > from) ctx.roundRect(from, top, until - from, height, 4);
  ctx.stroke();
  ctx.setLineDash([]);
}

function drawWave(ctx, view, { camera, shapes, offset_s, pace, from, until, middle, half }, ink) {
  const first = Math.max(Math.floor(from), 0);
  const n = Math.min(Math.ceil(until), Math.ceil(view.width)) - first;
  if (n <= 0) return;
  const step_s = view.span_s / view.width / pace;
  const pairs = shapes.of(camera, (view.t(first) - offset_s) / pace, step_s, n);
  if (pairs === null) return;
  // What is quiet is drawn larger: where it lies is looked at, not how loud it is.
  const most = pairs.reduce((known, pair) => (pair === null ? known : Math.max(known, pair[1], -pair[0])), QUIET);
  ctx.fillStyle = colour(ink);
  pairs.forEach((pair, k) => {
    if (pair === null) return;
    const [low, high] = pair.map((value) => (value / most) * half);
    ctx.fillRect(first + k, middle - high, 1, Math.max(high - low, 1));
  });
}

function drawPlayhead(canvas, view, t_s, height) {
  const ctx = blank(canvas, view.width, height);
  const x = Math.round(view.x(t_s)) + 0.5;
  ctx.strokeStyle = ctx.fillStyle = colour("--text");
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  ctx.moveTo(x, 0);
  ctx.lineTo(x, height);
  ctx.stroke();
  ctx.beginPath();
  ctx.moveTo(x - 6, 0);
  ctx.lineTo(x + 6, 0);
  ctx.lineTo(x, 9);
  ctx.closePath();
  ctx.fill();
}

/** Keep both canvases as things are; gives what draws anew, at most once a frame. */
function useDrawing({ box, base, over, open, listening, view }) {
  const drawing = useMemo(() => ({ wanted: 0, isAll: true, saidAt: 0, lies: new Map() }), [open]);
  /** Have all in view again where a camera was put out of it. */
  const keepInView = (rows) => {
    const before = drawing.lies;
    drawing.lies = new Map(rows.map(({ label }) => [label, open.clockOf(label).offset_s]));
    const isOut = (offset_s, duration_s) => view.x(offset_s) > view.width || view.x(offset_s + duration_s) < 0;
    const isLost = ({ label, duration_s }) => before.has(label) && !isOut(before.get(label), duration_s)
      && isOut(drawing.lies.get(label), duration_s);
    if (!rows.some(isLost)) return;
    view.fit();
    view.measure(box.current.clientWidth, open.extent_s);
  };
  const paint = () => {
    drawing.wanted = 0;
    if (box.current === null) return;
    const { rows } = open;
    const height = heightOf(rows);
    if (listening.store.get().isPlaying) {
      const before_s = view.start_s;
      view.follow(listening.t_master_s);
      drawing.isAll ||= before_s !== view.start_s;
    }
    if (drawing.isAll) {
      drawing.isAll = false;
      view.measure(box.current.clientWidth, open.extent_s);
      if (!view.isHeld) keepInView(rows);
      const ctx = blank(base.current, view.width, height);
      drawAxis(ctx, view, height);
      rows.forEach((camera, k) => drawRow(ctx, view, AXIS_PX + k * ROW_PX, { open, shapes, camera }));
    }
    drawPlayhead(over.current, view, listening.t_master_s, height);
    const now_ms = performance.now();
    if (listening.store.get().isPlaying && now_ms - drawing.saidAt < SPOKEN_EACH_MS) return;
    drawing.saidAt = now_ms;
    box.current.setAttribute("aria-valuenow", listening.t_master_s.toFixed(3));
    box.current.setAttribute("aria-valuetext", clock(listening.t_master_s, 3));
  };
  const soon = (isAll) => {
    drawing.isAll ||= isAll;
    drawing.wanted ||= requestAnimationFrame(paint);
  };
  const all = () => soon(true);
  const shapes = useMemo(() => new Shapes(open, all), [open]);
  useLayoutEffect(() => {
    const move = () => soon(false);
    listening.addEventListener("time", move);
    const sizes = new ResizeObserver(all);
    sizes.observe(box.current);
    const ends = [open.store.subscribe(all), onTheme(all)];
    all();
    return () => {
      listening.removeEventListener("time", move);
      sizes.disconnect();
      shapes.look.cancel();
      for (const end of ends) end();
      cancelAnimationFrame(drawing.wanted);
      drawing.wanted = 0;
    };
  }, [open, listening]);
  return all;
}

// --- what a hand does --------------------------------------------------------------------------------------

/** Listen to a hand on the rows; gives what ends that. */
function handled(box, { open, listening, view, draw, isReadOnly }) {
  let held = null;
  const xOf = (event) => event.clientX - box.getBoundingClientRect().left;
  const rowAt = (event) => {
    const k = Math.floor((event.clientY - box.getBoundingClientRect().top - AXIS_PX) / ROW_PX);
    return k < 0 ? undefined : open.rows[k]?.label;
  };
  const down = (event) => {
    if (event.button !== 0) return;
    const label = rowAt(event);
    held = { label, x: xOf(event), at_ms: label && (open.lies(label).offset_ms ?? 0), isDragged: false };
    box.setPointerCapture(event.pointerId);
  };
  const move = (event) => {
    if (held === null) return;
    const dx = xOf(event) - held.x;
    held.isDragged ||= Math.abs(dx) > DRAG_PX;
    if (!held.isDragged) return;
    if (held.label === undefined) {
      listening.seek(view.t(xOf(event)));
    } else if (held.label === open.store.get().session.master || isReadOnly) {
      view.pan(-(dx - (held.dx ?? 0)));
      held.dx = dx;
      draw();
    } else {
      view.isHeld = true;
      open.select(held.label);
      open.put(held.label, { offset_ms: held.at_ms + 1000 * (dx / view.width) * view.span_s });
    }
  };
  const up = (event) => {
    if (held === null) return;
    if (!held.isDragged && event.type === "pointerup") {
      if (open.placement(held.label) !== undefined) open.select(held.label);
      listening.seek(view.t(xOf(event)));
    } else if (held.isDragged && held.label !== undefined) {
      if (open.store.get().drafts.has(held.label)) say(`Camera ${held.label} is at ${lies(open.lies(held.label))}.`);
      // Where less is in view, a hand on the master moves that.
      else if (view.isWhole && !isReadOnly) open.isFixed(held.label);
    }
    held = null;
    view.isHeld = false;
    draw();
  };
  const wheel = (event) => {
    if (event.ctrlKey || event.metaKey) view.zoom(2 ** (event.deltaY / 200), xOf(event));
    else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) view.pan(event.deltaX || event.deltaY);
    else return;
    event.preventDefault();
    draw();
  };
  const key = (event) => {
    const [begin_s, end_s] = open.extent_s;
    if (event.key === "Home") listening.seek(begin_s);
    else if (event.key === "End") listening.seek(end_s);
    else return;
    event.preventDefault();
  };
  const done = new AbortController();
  const heard = { pointerdown: down, pointermove: move, pointerup: up, pointercancel: up, wheel, keydown: key };
  for (const [name, act] of Object.entries(heard)) {
    box.addEventListener(name, act, { signal: done.signal, passive: false });
  }
  return () => done.abort();
}

/** A camera's name beside its row, and how it lies; it chooses the camera. */
function Head({ open, camera }) {
  const { session, selected, drafts } = useStore(open.store);
  const { label } = camera;
  const placement = open.placement(label);
  const isMaster = label === session.master;
  const [grade, trust] = placement ? TRUST[placement.trust] : [];
  const at = open.lies(label);
  return html`
    <li class="wave-head">
      <button type="button" aria-pressed=${selected === label} onClick=${() => open.select(label)}
        title=${label} aria-label=${`Camera ${label}`} aria-describedby=${`wave-${label}`}>${label}</button>
      <span class="small" id=${`wave-${label}`}>
        ${isMaster ? html`<span class="quiet">master</span>` : html`
          <span class="number">${ms(at.offset_ms)}</span>
          ${drifts(at.drift_ppm) && html`<span class="number drift">${ppm(at.drift_ppm)}</span>`}
          ${drafts.has(label) ? html`<strong class="doubt">not saved</strong>`
            : placement.status === "pending" ? html`<span class=${`grade ${grade}`}><span>${trust}</span></span>`
              : html`<span class="good">${decidedOf(placement)}</span>`}`}
      </span>
    </li>`;
}

/** The rows, and what is in view of them. */
export function Waves({ open, listening, view }) {
  const { session, isReadOnly } = useStore(open.store);
  const [box, base, over] = [useRef(), useRef(), useRef()];
  const draw = useDrawing({ box, base, over, open, listening, view });
  useLayoutEffect(() => {
    view.draw = draw;
    return handled(box.current, { open, listening, view, draw, isReadOnly });
  }, [open, listening, isReadOnly]);
  const rows = open.rows;
  const [begin_s, end_s] = open.extent_s;
  const pan = (share) => { view.pan(share * view.width); draw(); };
  return html`
    <div class="waves" style=${{ "--axis": `${AXIS_PX}px`, "--wave": `${ROW_PX}px` }}>
      <ul class="wave-heads" aria-label="Cameras">${rows.map((camera) => html`
        <${Head} key=${camera.label} open=${open} camera=${camera} />`)}</ul>
      <div class="wave-box" ref=${box} role="slider" tabindex="0" aria-label="Where the sound stands"
          aria-orientation="horizontal" aria-valuemin=${begin_s} aria-valuemax=${end_s} aria-valuenow="0"
          style=${{ height: `${heightOf(rows)}px` }}>
        <canvas ref=${base} aria-hidden="true"></canvas>
        <canvas ref=${over} aria-hidden="true"></canvas>
      </div>
    </div>
    <div class="acts wave-view" role="group" aria-label="What is in view">
      <${Act} class="step" aria-label="Earlier" act=${() => pan(-0.5)}>‹<//>
      <${Act} class="step" aria-label="Later" act=${() => pan(0.5)}>›<//>
      <${Act} class="step" aria-label="Show less, larger" act=${() => zoomed(view, listening, 0.5)}>+<//>
      <${Act} class="step" aria-label="Show more, smaller" act=${() => zoomed(view, listening, 2)}>−<//>
      <${Act} act=${() => fitted(view)}>Fit<//>
      <p class="small quiet">Drag a waveform to move that camera.${" "}
        <span class="with-wheel">Ctrl and the wheel zoom.</span></p>
    </div>`;
}

/** Zoom around the playhead. */
export function zoomed(view, listening, factor) {
  view.zoomAt(factor, listening.t_master_s);
  view.draw();
}

/** Show all of it. */
export function fitted(view) {
  view.fit();
  view.draw();
}
