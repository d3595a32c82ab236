/** Both timelines over each other, with the map between them: where everything is, and where it plays. */

import { clock, count } from "./format.js";
import { GRADES, errorOf, gradeOf, indexAt, stateOf, sureness } from "./markers.js";
import { choose } from "./desk_acts.js";
import { html, useLayoutEffect, useMemo, useRef, useStore } from "./lib.js";

/** Heights, from the top: ticks with times, the run's line, the map, the reference's line, its ticks; CSS pixels. */
const RUN_PX = 44;
const REF_PX = 118;
const HEIGHT_PX = 148;
const ALONE_PX = 62;
const SHAPE_PX = 5;
/** So near to a marker a click means the marker. */
const NEAR_PX = 7;
/** Markers of one class nearer to each other than this are drawn as one. */
const THIN_PX = 1.5;
const LEAST_SPAN_S = 1;
const TICKS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
const TICK_APART_PX = 70;
const SKIP_S = 10;
const VALUE_EVERY_MS = 250;

const INKS = ["text", "quiet", "line", "raised", "sunken", "accent", "focus", "good", "doubt", "bad", "new", "ref"];
const GRADE_INKS = { certain: "good", likely: "doubt", doubtful: "bad", rejected: "quiet", missing: "quiet" };

const clamp = (x, low, high) => Math.min(Math.max(x, low), Math.max(low, high));

/** What part of both timelines is in view: `span_s` seconds of each, around `centre_s` of the run. */
class View {
  constructor() {
    this.centre_s = 0;
    this.span_s = Infinity;
    /** Whether a hand is on it. */
    this.isHeld = false;
  }

  /** Say how wide and long everything is; `toRef(t_new_s)` gives the reference's time also where the map does not. */
  measure(width, { recording, reference, map }) {
    this.width = width;
    this.new_s = recording.duration_s;
    this.ref_s = reference?.duration_s ?? 0;
    this.span_s = clamp(this.span_s, LEAST_SPAN_S, this.whole_s);
    this.centre_s = clamp(this.centre_s, this.span_s / 2, this.new_s - this.span_s / 2);
    this.newStart_s = this.centre_s - this.span_s / 2;
    const centre = map === null ? this.centre_s : anyRef(map, this.centre_s);
    this.refStart_s = clamp(centre - this.span_s / 2, 0, this.ref_s - this.span_s);
  }

  get whole_s() {
    return Math.max(this.new_s, this.ref_s, LEAST_SPAN_S);
  }

  xNew(t_s) {
    return ((t_s - this.newStart_s) / this.span_s) * this.width;
  }

  xRef(t_s) {
    return ((t_s - this.refStart_s) / this.span_s) * this.width;
  }

  tNew(x) {
    return clamp(this.newStart_s + (x / this.width) * this.span_s, 0, this.new_s);
  }

  tRef(x) {
    return clamp(this.refStart_s + (x / this.width) * this.span_s, 0, this.ref_s);
  }

  /** Show `factor` times as much, with what is at `x` left where it is. */
  zoom(factor, x = this.width / 2) {
    const t_s = this.tNew(x);
    this.span_s = clamp(this.span_s * factor, LEAST_SPAN_S, this.whole_s);
    this.centre_s = t_s - (x / this.width - 0.5) * this.span_s;
  }

  pan(dx) {
    this.centre_s += (dx / this.width) * this.span_s;
  }

  fit() {
    this.span_s = Infinity;
  }

  /** Turn the page where a moment of the run is out of view. */
  follow(t_new_s) {
    const x = this.xNew(t_new_s);
    if (x < 0 || x > 0.95 * this.width) this.centre_s = t_new_s + 0.4 * this.span_s;
  }
}

/** The reference's time at a moment of the run; from where the map knows none on, at the pace of its nearest edge. */
function anyRef(map, t_new_s) {
  const t_ref_s = map.toRef(t_new_s);
  if (!Number.isNaN(t_ref_s)) return t_ref_s;
  const edge = map.support.flat().reduce((a, b) => (Math.abs(b - t_new_s) < Math.abs(a - t_new_s) ? b : a));
  return map.toRef(edge) + t_new_s - edge;
}

/** The stretches between 0 and `end_s` that the ascending intervals `known` leave out. */
function gaps(known, end_s) {
  const edges = [0, ...known.flat(), end_s];
  return edges.flatMap((a, k) => (k % 2 === 0 && edges[k + 1] - a > 1e-3 ? [[a, edges[k + 1]]] : []));
}

/** The page's colours in the present scheme, as a canvas takes them. */
function inksOf(element) {
  const probe = element.appendChild(document.createElement("i"));
  const found = INKS.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  const font = getComputedStyle(element).fontFamily;
  probe.remove();
  return { ...Object.fromEntries(found), font };
}

/** Draws onto a canvas in CSS pixels, with the page's colours. */
class Pen {
  constructor(canvas, inks) {
    this.canvas = canvas;
    this.inks = inks;
    this.context = canvas.getContext("2d");
  }

  clear(width, height) {
    const ratio = devicePixelRatio;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, width, height);
    this.context.font = `11px ${this.inks.font}`;
    this.context.lineWidth = 1;
  }

  line(x1, y1, x2, y2) {
    this.context.beginPath();
    this.context.moveTo(x1, y1);
    this.context.lineTo(x2, y2);
    this.context.stroke();
  }

  /** A shape for each class of confidence, so that nobody needs to see colours. */
  shape(grade, x, y, size = SHAPE_PX) {
    const c = this.context;
    c.strokeStyle = c.fillStyle = this.inks[GRADE_INKS[grade]];
    c.lineWidth = 2;
    c.beginPath();
    if (grade === "certain" || grade === "missing") c.arc(x, y, size, 0, 2 * Math.PI);
    else if (grade === "likely") {
      polygon(c, [[x, y - size - 1], [x + size + 1, y], [x, y + size + 1], [x - size - 1, y]]);
    } else if (grade === "doubtful") {
      polygon(c, [[x, y - size - 1], [x + size + 1, y + size], [x - size - 1, y + size]]);
    } else {
      c.moveTo(x - size + 1, y - size + 1);
      c.lineTo(x + size - 1, y + size - 1);
      c.moveTo(x - size + 1, y + size - 1);
      c.lineTo(x + size - 1, y - size + 1);
    }
    // What a person should look at is hollow.
    const isHollow = grade === "doubtful" || grade === "missing";
    if (isHollow) c.fillStyle = this.inks.raised;
    if (grade !== "rejected") c.fill();
    if (isHollow || grade === "rejected") c.stroke();
    c.lineWidth = 1;
  }
}

function polygon(context, points) {
  points.forEach(([x, y], k) => (k === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.closePath();
}

/** Everything but the playhead. */
function drawAll(pen, view, state) {
  const { recording, reference, map, mapDoc, markers, moved, selected } = state;
  const height = reference === null ? ALONE_PX : HEIGHT_PX;
  pen.clear(view.width, height);
  const lines = [[RUN_PX, recording.duration_s, (t) => view.xNew(t), recording.is_reference ? "ref" : "new", -1]];
  if (reference !== null) lines.push([REF_PX, reference.duration_s, (t) => view.xRef(t), "ref", 1]);
  for (const [y, end_s, x, ink, side] of lines) drawLine(pen, view, y, end_s, x, ink, side);
  if (map !== null) {
    hatch(pen, gaps(map.support, view.new_s).map(([a, b]) => [view.xNew(a), view.xNew(b)]), RUN_PX);
    const known = map.support.map((ends) => ends.map((t) => map.toRef(t)));
    if (reference !== null) hatch(pen, gaps(known, view.ref_s).map(([a, b]) => [view.xRef(a), view.xRef(b)]), REF_PX);
  }
  drawMarkers(pen, view, markers, reference !== null);
  for (const { from_s, to_s } of moved) drawMove(pen, view.xNew(from_s), view.xNew(to_s));
  for (const anchor of mapDoc?.anchors ?? []) drawPin(pen, view.xNew(anchor.t_new_s), view.xRef(anchor.t_ref_s));
  const chosen = markers.find((marker) => marker.id === selected);
  if (chosen !== undefined) drawChosen(pen, view, chosen, reference !== null);
}

function drawLine(pen, view, y, end_s, x, ink, side) {
  const c = pen.context;
  c.fillStyle = pen.inks.sunken;
  c.fillRect(x(0), y - 9, x(end_s) - x(0), 18);
  c.strokeStyle = pen.inks[ink];
  c.lineWidth = 2;
  pen.line(x(0), y, x(end_s), y);
  c.lineWidth = 1;
  const step_s = TICKS_S.find((s) => (s / view.span_s) * view.width >= TICK_APART_PX) ?? TICKS_S.at(-1);
  const start_s = side < 0 ? view.newStart_s : view.refStart_s;
  c.fillStyle = pen.inks.quiet;
  c.strokeStyle = pen.inks.line;
  c.textBaseline = side < 0 ? "bottom" : "top";
  for (let k = Math.max(Math.ceil(start_s / step_s), 0); k * step_s <= Math.min(start_s + view.span_s, end_s); k += 1) {
    const at = x(k * step_s);
    pen.line(at, y + side * 9, at, y + side * 14);
    c.fillText(clock(k * step_s, step_s < 1 ? 1 : 0), at + 3, y + side * 12);
  }
}

function hatch(pen, stretches, y) {
  const c = pen.context;
  for (const [a, b] of stretches) {
    c.save();
    c.beginPath();
    c.rect(a, y - 9, b - a, 18);
    c.clip();
    c.strokeStyle = pen.inks.quiet;
    c.beginPath();
    for (let x = Math.max(a, -20) - 18 - ((Math.max(a, -20) - a) % 6); x < Math.min(b, pen.canvas.width); x += 6) {
      c.moveTo(x, y + 9);
      c.lineTo(x + 18, y - 9);
    }
    c.stroke();
    c.restore();
  }
}

function drawMarkers(pen, view, markers, hasRef) {
  const c = pen.context;
  const isIn = (x) => x > -NEAR_PX && x < view.width + NEAR_PX;
  const places = thinned(markers.flatMap((marker) => {
    const new_x = marker.t_s === null ? NaN : view.xNew(marker.t_s);
    const ref_x = marker.t_ref_s === null ? NaN : view.xRef(marker.t_ref_s);
    return isIn(new_x) || isIn(ref_x) ? [{ marker, grade: gradeOf(marker), new_x, ref_x }] : [];
  }));
  if (hasRef) {
    c.strokeStyle = pen.inks.line;
    c.beginPath();
    for (const { new_x, ref_x } of places) {
      if (Number.isNaN(new_x) || Number.isNaN(ref_x)) continue;
      c.moveTo(new_x, RUN_PX + 9);
      c.lineTo(ref_x, REF_PX - 9);
    }
    c.stroke();
  }
  for (const { marker, grade, new_x } of places) {
    const off_s = errorOf(marker);
    if (off_s === null || grade === "rejected" || Number.isNaN(new_x)) continue;
    const off = (off_s / view.span_s) * view.width;
    c.strokeStyle = pen.inks.text;
    c.beginPath();
    for (const x of [new_x - off, new_x + off]) {
      c.moveTo(new_x, RUN_PX);
      c.lineTo(x, RUN_PX);
      c.moveTo(x, RUN_PX - 4);
      c.lineTo(x, RUN_PX + 4);
    }
    c.stroke();
  }
  for (const { grade, new_x, ref_x } of places) {
    if (!Number.isNaN(new_x)) pen.shape(grade, new_x, RUN_PX);
    if (hasRef && !Number.isNaN(ref_x)) pen.shape(grade, ref_x, REF_PX, SHAPE_PX - 2);
  }
}

/** Without those that would be drawn over another of their class. */
function thinned(places) {
  const last = {};
  return places.filter(({ grade, new_x, ref_x }) => {
    const key = Number.isNaN(new_x) ? `${grade} missing` : grade;
    const x = Number.isNaN(new_x) ? ref_x : new_x;
    if (Math.abs(x - last[key]) < THIN_PX) return false;
    last[key] = x;
    return true;
  });
}

function drawMove(pen, from_x, to_x) {
  const c = pen.context;
  c.strokeStyle = pen.inks.accent;
  c.setLineDash([2, 2]);
  pen.line(from_x, RUN_PX - 14, from_x, RUN_PX + 14);
  c.setLineDash([]);
  pen.line(to_x, RUN_PX - 14, to_x, RUN_PX + 14);
  pen.line(from_x, RUN_PX + 14, to_x, RUN_PX + 14);
}

function drawPin(pen, new_x, ref_x) {
  const c = pen.context;
  c.strokeStyle = c.fillStyle = pen.inks.accent;
  pen.line(new_x, RUN_PX + 9, ref_x, REF_PX - 9);
  for (const [x, y, way] of [[new_x, RUN_PX + 9, 1], [ref_x, REF_PX - 9, -1]]) {
    c.beginPath();
    polygon(c, [[x, y], [x + 5, y + 8 * way], [x - 5, y + 8 * way]]);
    c.fill();
  }
}

function drawChosen(pen, view, marker, hasRef) {
  const c = pen.context;
  c.strokeStyle = pen.inks.focus;
  c.lineWidth = 2;
  const places = [[marker.t_s, view.xNew(marker.t_s ?? 0), RUN_PX]];
  if (hasRef) places.push([marker.t_ref_s, view.xRef(marker.t_ref_s ?? 0), REF_PX]);
  for (const [t_s, x, y] of places) {
    if (t_s === null) continue;
    c.beginPath();
    c.arc(x, y, 10, 0, 2 * Math.PI);
    c.stroke();
  }
  c.lineWidth = 1;
}

function drawPlayhead(pen, view, pair, hasRef) {
  pen.clear(view.width, hasRef ? HEIGHT_PX : ALONE_PX);
  const c = pen.context;
  c.lineWidth = 2;
  c.strokeStyle = c.fillStyle = pen.inks.text;
  const heads = [[view.xNew(pair.t_new_s), RUN_PX, -1]];
  if (hasRef) heads.push([view.xRef(pair.t_ref_s), REF_PX, 1]);
  for (const [x, y, side] of heads) {
    pen.line(x, y - 13, x, y + 13);
    c.beginPath();
    polygon(c, [[x, y + side * 9], [x + 5, y + side * 17], [x - 5, y + side * 17]]);
    c.fill();
  }
}

/** What a refit has moved; nothing where there was none. */
function movedInWords({ previousMap, moved }) {
  if (previousMap === null) return "";
  if (moved.length === 0) return "The map was fitted again; no other marker moved.";
  const most_s = Math.max(...moved.map(({ from_s, to_s }) => Math.abs(to_s - from_s)));
  const how = `${moved.length === 1 ? "by" : "at most"} ${most_s.toFixed(most_s < 0.01 ? 3 : 2)} s`;
  return `The map was fitted again: ${count(moved.length, "marker")} moved, ${how}.`;
}

/** The marker that is drawn at a point of the strip, if any is. */
function markerAt(view, markers, x, isRef) {
  const near_s = (NEAR_PX / view.width) * view.span_s;
  let best;
  for (const marker of markers) {
    const t_s = isRef ? marker.t_ref_s : marker.t_s;
    if (t_s === null) continue;
    const off_s = Math.abs(t_s - (isRef ? view.tRef(x) : view.tNew(x)));
    if (off_s <= near_s && (best === undefined || off_s < best.off_s)) best = { marker, off_s };
  }
  return best?.marker;
}

function markerInWords(marker) {
  if (marker.state === "of the trail") return `${marker.name}: ${clock(marker.t_s, 2)}`;
  const off_s = errorOf(marker);
  const ref = marker.t_ref_s === null ? "" : `, reference ${clock(marker.t_ref_s, 2)}`;
  const off = off_s === null ? "" : `, ±${off_s.toFixed(2)} s`;
  return `${marker.name}: run ${clock(marker.t_s, 2)}${ref}${off}; ${stateOf(marker)}, ${sureness(marker)}`;
}

/** Pointers and keys on the strip. `draw()` is called once what is in view has changed. */
class Hand {
  constructor(box, { view, run, pair, draw, tell }) {
    Object.assign(this, { box, view, run, pair, draw, tell });
    this.pointers = new Map();
    this.what = null;
  }

  at(event) {
    const { left, top } = this.box.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /** Which part that is: "new", "ref", or "map" between them. */
  partAt(y) {
    if (this.run.store.get().reference === null || y < RUN_PX + 14) return "new";
    return y > REF_PX - 14 ? "ref" : "map";
  }

  markerAt(x, what) {
    return what === "map" ? undefined : markerAt(this.view, this.run.store.get().markers, x, what === "ref");
  }

  down(event) {
    if (event.button !== 0) return;
    this.box.setPointerCapture(event.pointerId);
    const [x, y] = this.at(event);
    this.pointers.set(event.pointerId, [x, y]);
    this.view.isHeld = true;
    if (this.pointers.size > 1) {
      this.what = "pinch";
      return;
    }
    this.what = this.partAt(y);
    const marker = this.markerAt(x, this.what);
    if (marker !== undefined) choose(this.run, this.pair, marker.id);
    else this.seek(x);
  }

  move(event) {
    const [x, y] = this.at(event);
    const before = this.pointers.get(event.pointerId);
    if (before === undefined) {
      this.hover(x, y);
      return;
    }
    const others = [...this.pointers].filter(([id]) => id !== event.pointerId);
    this.pointers.set(event.pointerId, [x, y]);
    if (others.length > 0) {
      const [fixed] = others[0][1];
      this.view.zoom(Math.abs(before[0] - fixed) / Math.max(Math.abs(x - fixed), 1), fixed);
      this.draw();
    } else if (this.what === "map") {
      this.view.pan(before[0] - x);
      this.draw();
    } else this.seek(x);
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    if (this.pointers.size === 0) [this.what, this.view.isHeld] = [null, false];
  }

  seek(x) {
    if (this.what === "new") this.pair.seekNew(this.view.tNew(x));
    else if (this.what === "ref") this.pair.seekRef(this.view.tRef(x));
  }

  hover(x, y) {
    const where = this.partAt(y);
    const marker = this.markerAt(x, where);
    this.box.style.cursor = where === "map" ? "grab" : "pointer";
    this.tell(marker === undefined ? null : { x, words: markerInWords(marker) });
  }

  wheel(event) {
    const [x] = this.at(event);
    const isAcross = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    if (event.ctrlKey || event.metaKey) this.view.zoom(Math.exp(event.deltaY * 0.005), x);
    else if (isAcross) this.view.pan(event.deltaX || event.deltaY);
    else return;
    event.preventDefault();
    this.draw();
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const { duration_s } = this.run.store.get().recording;
    const acts = {
      Home: () => this.pair.seekNew(0),
      End: () => this.pair.seekNew(duration_s),
      PageUp: () => this.pair.seekNew(this.pair.t_new_s - SKIP_S),
      PageDown: () => this.pair.seekNew(this.pair.t_new_s + SKIP_S),
      "+": () => this.view.zoom(0.5),
      "-": () => this.view.zoom(2),
      0: () => this.view.fit(),
    };
    const act = acts[event.key];
    if (act === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    act();
    this.draw();
  }
}

/** The strip of the open run, or trail, which has no signs for how sure its markers are. */
export function Strip({ run, pair, isTrail = false }) {
  const state = useStore(run.store);
  const view = useMemo(() => new View(), [run]);
  const [box, base, over, tip] = [useRef(), useRef(), useRef(), useRef()];
  const hasRef = state.reference !== null;
  const draw = useDrawing({ box, base, over, view, run, pair });
  useLayoutEffect(() => {
    const tell = (told) => {
      tip.current.hidden = told === null;
      if (told === null) return;
      tip.current.textContent = told.words;
      const width = tip.current.offsetWidth;
      tip.current.style.left = `${clamp(told.x - width / 2, 0, view.width - width)}px`;
    };
    return handled(box.current, new Hand(box.current, { view, run, pair, draw, tell }), tell);
  }, [run, pair]);
  const zoom = (factor) => { view.zoom(factor, clamp(view.xNew(pair.t_new_s), 0, view.width)); draw(); };
  return html`
    <section class="section strip" aria-label="Timelines">
      <div class="bar">
        <ul class="legend small quiet" aria-label="What the signs mean">
          ${!isTrail && Object.entries(GRADES).map(([grade, { word, means }]) => html`
            <li key=${grade} class=${`grade ${grade}`} title=${means}>${word}</li>`)}
        </ul>
        <p role="status" class="small moved">${movedInWords(state)}</p>
        <div class="acts" role="group" aria-label="What is in view">
          <button type="button" aria-label="Show less, larger" onClick=${() => zoom(0.5)}>+</button>
          <button type="button" aria-label="Show more, smaller" onClick=${() => zoom(2)}>−</button>
          <button type="button" onClick=${() => { view.fit(); draw(); }}>Fit</button>
        </div>
      </div>
      <div class="lines" style=${{ height: `${hasRef ? HEIGHT_PX : ALONE_PX}px` }} ref=${box} role="slider" tabindex="0"
          aria-label=${isTrail ? "Where the reference stands" : "Where the run stands"} aria-orientation="horizontal"
          aria-valuemin="0" aria-valuemax=${state.recording.duration_s} aria-valuenow="0">
        <canvas ref=${base} aria-hidden="true"></canvas>
        <canvas ref=${over} aria-hidden="true"></canvas>
        <p class="tip small" ref=${tip} aria-hidden="true" hidden></p>
      </div>
    </section>`;
}

/** Listen to what a hand does on the strip; gives what ends that. */
function handled(box, hand, tell) {
  const done = new AbortController();
  const on = (name, act, more = {}) => box.addEventListener(name, act, { signal: done.signal, ...more });
  on("pointerdown", (event) => hand.down(event));
  on("pointermove", (event) => hand.move(event));
  for (const name of ["pointerup", "pointercancel"]) on(name, (event) => hand.up(event));
  on("pointerleave", () => tell(null));
  on("wheel", (event) => hand.wheel(event), { passive: false });
  on("keydown", (event) => hand.key(event));
  return () => done.abort();
}

/** Keep both canvases as things are; gives what draws anew, at most once a frame. */
function useDrawing({ box, base, over, view, run, pair }) {
  const drawing = useMemo(() => ({ wanted: 0, isAll: true, saidAt: 0, t_new_s: 0, inks: null }), [run]);
  const paint = () => {
    drawing.wanted = 0;
    if (box.current === null) return;
    const state = run.store.get();
    const hasRef = state.reference !== null;
    drawing.inks ??= inksOf(box.current);
    if (drawing.t_new_s !== pair.t_new_s && !view.isHeld) {
      const before_s = view.centre_s;
      view.follow(pair.t_new_s);
      drawing.isAll ||= before_s !== view.centre_s;
    }
    drawing.t_new_s = pair.t_new_s;
    if (drawing.isAll) {
      view.measure(box.current.clientWidth, state);
      drawAll(new Pen(base.current, drawing.inks), view, state);
      drawing.isAll = false;
    }
    drawPlayhead(new Pen(over.current, drawing.inks), view, pair, hasRef);
    if (!pair.isPlaying || performance.now() - drawing.saidAt > VALUE_EVERY_MS) sayWhere();
  };
  const sayWhere = () => {
    drawing.saidAt = performance.now();
    const { markers, reference } = run.store.get();
    const marker = markers[indexAt(markers, pair.t_new_s)];
    box.current.setAttribute("aria-valuenow", pair.t_new_s.toFixed(3));
    const ref = reference === null ? "" : `, ${clock(pair.t_ref_s, 1)} of the reference`;
    const behind = marker === undefined ? "" : `; behind ${marker.name}`;
    box.current.setAttribute("aria-valuetext", `${clock(pair.t_new_s, 1)} of the run${ref}${behind}`);
  };
  const soon = (isAll) => {
    drawing.isAll ||= isAll;
    drawing.wanted ||= requestAnimationFrame(paint);
  };
  const all = () => soon(true);
  useLayoutEffect(() => {
    const done = new AbortController();
    for (const name of ["time", "play", "pause"]) {
      pair.addEventListener(name, () => soon(false), { signal: done.signal });
    }
    const repaint = () => {
      drawing.inks = null;
      all();
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint, { signal: done.signal });
    const sizes = new ResizeObserver(all);
    sizes.observe(box.current);
    const end = run.store.subscribe(all);
    all();
    return () => {
      done.abort();
      sizes.disconnect();
      end();
      cancelAnimationFrame(drawing.wanted);
      drawing.wanted = 0;
    };
  }, [run, pair]);
  return all;
}
