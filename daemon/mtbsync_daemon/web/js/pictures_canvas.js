/** The two pictures that are not along the trail: how alike all moments are, and where the runs went. */

import { clock } from "./format.js";
import { hasTrack, interpolated, onPlaneOf } from "./pictures_data.js";
import { canvasIn, channels, colour, lineIn, nearestRows, ticks } from "./plots.js";

const MARGIN = { left: 56, right: 10, top: 8, bottom: 40 };
/** Chance likeness is everywhere; held back, it does not hide what stands out. */
const HELD_BACK = 1.4;
const DARKEST = 255;
/** Nearer to the map than this, a person means the map. */
const SNAP_PX = 10;
const ANCHOR_PX = 5;
const PATH_STEPS = 600;

/**
 * The likeness of all moments to all, with the map over it, as `Plot` wants it.
 * @param {{z: string, t_new: number[], t_ref: number[], n_ref: number}} likeness document of the API
 * @param {{map: object, anchors: {t_new_s: number, t_ref_s: number}[], newEnd_s: number, refEnd_s: number}} given
 */
export function likenessPlot(likeness, { map, anchors, newEnd_s, refEnd_s }) {
  const bytes = Uint8Array.from(atob(likeness.z), (c) => c.charCodeAt(0));
  const shade = shadesOf(bytes);
  return (host) => {
    const { canvas, blank } = canvasIn(host, 1);
    const area = document.createElement("div");
    area.className = "plot-area";
    host.append(area);
    const cross = (name) => [lineIn(area, name), lineIn(area, `${name} across`)];
    const lines = { cursor: cross("cursor"), playhead: cross("playhead") };
    let [width, height] = [0, 0];
    const xOf = (t_new_s) => (t_new_s / newEnd_s) * width;
    const yOf = (t_ref_s) => height - (t_ref_s / refEnd_s) * height;

    const draw = () => {
      const { ctx, scale, ...size } = blank();
      width = size.width - MARGIN.left - MARGIN.right;
      height = size.height - MARGIN.top - MARGIN.bottom;
      const box = { left: MARGIN.left, top: MARGIN.top, width, height };
      for (const [side, px] of Object.entries(box)) area.style[side] = `${px}px`;
      drawLikeness(ctx, scale);
      drawAxes(ctx);
      ctx.translate(MARGIN.left, MARGIN.top);
      drawPath(ctx);
      for (const anchor of anchors) drawAnchor(ctx, xOf(anchor.t_new_s), yOf(anchor.t_ref_s));
    };

    const drawLikeness = (ctx, scale) => {
      const image = ctx.createImageData(Math.round(width * scale), Math.round(height * scale));
      const rows = nearestRows(likeness.t_new, [0, newEnd_s], image.width);
      const columns = nearestRows(likeness.t_ref, [refEnd_s, 0], image.height);
      const [blankest, darkest] = [channels("--unlike"), channels("--alike")];
      const grey = (z) => blankest.map((from, c) => from + (darkest[c] - from) * shade(z));
      const table = Array.from({ length: DARKEST + 1 }, (_, z) => grey(z));
      for (let y = 0, at = 0; y < image.height; y += 1) {
        for (let x = 0; x < image.width; x += 1, at += 4) {
          image.data.set(table[bytes[rows[x] * likeness.n_ref + columns[y]]], at);
          image.data[at + 3] = DARKEST;
        }
      }
      ctx.putImageData(image, Math.round(MARGIN.left * scale), Math.round(MARGIN.top * scale));
    };

    const drawAxes = (ctx) => {
      ctx.fillStyle = colour("--quiet");
      ctx.textBaseline = "top";
      ctx.textAlign = "center";
      const under = MARGIN.top + height + 6;
      for (const t of ticks([0, newEnd_s], width, 56)) ctx.fillText(clock(t), MARGIN.left + xOf(t), under);
      ctx.fillText("time in the new run", MARGIN.left + width / 2, under + 17);
      ctx.textAlign = "right";
      ctx.textBaseline = "middle";
      for (const t of ticks([0, refEnd_s], height, 40)) ctx.fillText(clock(t), MARGIN.left - 6, MARGIN.top + yOf(t));
      ctx.save();
      ctx.translate(8, MARGIN.top + height / 2);
      ctx.rotate(-Math.PI / 2);
      ctx.textAlign = "center";
      ctx.fillText("time in the reference", 0, 0);
      ctx.restore();
    };

    const drawPath = (ctx) => {
      // What lies under it shows through.
      for (const [look, lineWidth, globalAlpha] of [["--unlike", 4, 0.35], ["--map", 2, 0.85]]) {
        ctx.beginPath();
        for (const [from, to] of map.support) {
          for (let k = 0; k <= PATH_STEPS; k += 1) {
            const t_new_s = k === PATH_STEPS ? to : from + (k / PATH_STEPS) * (to - from);
            ctx[k === 0 ? "moveTo" : "lineTo"](xOf(t_new_s), yOf(map.toRef(t_new_s)));
          }
        }
        Object.assign(ctx, { strokeStyle: colour(look), lineWidth, lineJoin: "round", globalAlpha });
        ctx.stroke();
      }
      ctx.globalAlpha = 1;
    };

    const drawAnchor = (ctx, x, y) => {
      ctx.beginPath();
      ctx.moveTo(x, y - ANCHOR_PX);
      for (const [dx, dy] of [[ANCHOR_PX, 0], [0, ANCHOR_PX], [-ANCHOR_PX, 0]]) ctx.lineTo(x + dx, y + dy);
      ctx.closePath();
      Object.assign(ctx, { fillStyle: colour("--anchor"), strokeStyle: colour("--unlike"), lineWidth: 1.5 });
      ctx.fill();
      ctx.stroke();
    };

    const stand = ([upright, across], moment) => {
      upright.hidden = moment === null || Number.isNaN(moment.tNew);
      across.hidden = moment === null || Number.isNaN(moment.tRef);
      if (!upright.hidden) upright.style.transform = `translateX(${xOf(moment.tNew)}px)`;
      if (!across.hidden) across.style.transform = `translateY(${yOf(moment.tRef)}px)`;
    };

    draw();
    return {
      momentAt(x, y) {
        const box = area.getBoundingClientRect();
        const within = (share) => Math.min(Math.max(share, 0), 1);
        const [right, up] = [within((x - box.left) / width), within((box.bottom - y) / height)];
        const [tNew, tRef] = [right * newEnd_s, up * refEnd_s];
        const mapped = map.toRef(tNew);
        return { tNew, tRef: Math.abs(yOf(mapped) - yOf(tRef)) < SNAP_PX ? mapped : tRef };
      },
      placeOf({ tNew, tRef }) {
        const box = area.getBoundingClientRect();
        return { x: box.left + (Number.isNaN(tNew) ? 0 : xOf(tNew)), y: box.top + yOf(tRef) };
      },
      mark(moment, playhead) {
        stand(lines.cursor, moment);
        stand(lines.playhead, playhead);
      },
      resize: draw,
      draw,
      close() {
        canvas.remove();
        area.remove();
      },
    };
  };
}

/** From a byte to 0 (as alike as by chance, or less) up to 1 (the most alike there is). */
function shadesOf(bytes) {
  const counts = new Uint32Array(DARKEST + 1);
  for (const z of bytes) counts[z] += 1;
  let seen = 0;
  const median = counts.findIndex((n) => (seen += n) >= bytes.length / 2);
  return (z) => (Math.max(z - median, 0) / Math.max(DARKEST - median, 1)) ** HELD_BACK;
}

// --- where the runs went ---------------------------------------------------------------------------------

const EDGE_PX = 26;
/** Names stand that much above their places, clear of the way. */
const ABOVE_PX = 10;
const REACH_PX = 60;
const ASPECTS = [0.5, 0.95];
const BARS_M = [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000];

/**
 * The runs seen from above, north up, as `Plot` wants it. A run without a track is left out; one has one.
 * @param {{stage: object, newTrack: object, refTrack: object}} given `stage` as of `Plot`
 */
export function sketchPlot({ stage, newTrack, refTrack }) {
  const { map, marked } = stage;
  const origin = hasTrack(refTrack) ? refTrack.origin : newTrack.origin;
  const ways = {
    ref: hasTrack(refTrack) ? onPlaneOf(refTrack, origin) : null,
    new: hasTrack(newTrack) ? onPlaneOf(newTrack, origin) : null,
  };
  const there = Object.values(ways).filter(Boolean);
  const [east, north] = ["east", "north"].map((way) => extent(there.flatMap((track) => track[way])));
  const aspect = Math.min(Math.max((north[1] - north[0]) / (east[1] - east[0]), ASPECTS[0]), ASPECTS[1]);
  /** Where a run was; null where that is not known. */
  const placeIn = (way, t_s) => {
    if (!way || !(t_s >= way.t_s[0] && t_s <= way.t_s.at(-1))) return null;
    return [interpolated(way.t_s, way.east, t_s), interpolated(way.t_s, way.north, t_s)];
  };
  const placeOfMoment = ({ tNew, tRef }) => placeIn(ways.ref, tRef) ?? placeIn(ways.new, tNew);
  const placeOfMark = (t_ref_s) => placeIn(ways.ref, t_ref_s) ?? placeIn(ways.new, map.toNew(t_ref_s));
  const guide = ways.ref ?? ways.new;
  const momentOf = (k) => {
    const t_s = guide.t_s[k];
    return guide === ways.ref ? { tNew: map.toNew(t_s), tRef: t_s } : { tNew: t_s, tRef: map.toRef(t_s) };
  };

  return (host) => {
    const { canvas, blank } = canvasIn(host, aspect);
    const dots = { cursor: dotIn(host, "cursor"), new: dotIn(host, "new"), ref: dotIn(host, "ref") };
    let toPage = () => [0, 0];

    const draw = () => {
      const { ctx, width, height } = blank();
      const fitting = (px, [from, to]) => (px - 2 * EDGE_PX) / Math.max(to - from, 1);
      const scale = Math.min(fitting(width, east), fitting(height, north));
      const [middleEast, middleNorth] = [(east[0] + east[1]) / 2, (north[0] + north[1]) / 2];
      toPage = ([e, n]) => [width / 2 + (e - middleEast) * scale, height / 2 - (n - middleNorth) * scale];
      drawWay(ctx, ways.ref, "--ref", 5, 0.55);
      drawWay(ctx, ways.new, "--new", 2, 1);
      drawScale(ctx, scale, height);
      drawNorth(ctx, width);
      drawNames(ctx, width);
    };

    const drawWay = (ctx, way, look, lineWidth, globalAlpha) => {
      if (!way) return;
      ctx.save();
      Object.assign(ctx, { strokeStyle: colour(look), lineWidth, globalAlpha, lineJoin: "round", lineCap: "round" });
      ctx.beginPath();
      way.t_s.forEach((_, k) => {
        const isKnown = k > 0 && way.isKnown[k] && way.isKnown[k - 1];
        ctx[isKnown ? "lineTo" : "moveTo"](...toPage([way.east[k], way.north[k]]));
      });
      ctx.stroke();
      ctx.restore();
    };

    /** Start and finish first, then markers, each name where no other stands. */
    const drawNames = (ctx, width) => {
      const last = guide.t_s.length - 1;
      const named = [
        { name: "start", at: [guide.east[0], guide.north[0]], shape: "ring" },
        { name: "finish", at: [guide.east[last], guide.north[last]], shape: "box" },
        ...marked.get().marks.map(({ name, t_ref_s }) => ({ name, at: placeOfMark(t_ref_s), shape: "dot" })),
      ].filter(({ at }) => at !== null);
      const taken = [];
      const spots = new Set();
      ctx.textBaseline = "middle";
      for (const { name, at, shape } of named) {
        const [x, y] = toPage(at);
        // Where many lie on one pixel, one is seen.
        const spot = `${Math.round(x)} ${Math.round(y)}`;
        if (spots.has(spot)) continue;
        spots.add(spot);
        drawSpot(ctx, x, y, shape);
        const length = ctx.measureText(name).width;
        const left = x + 5 + length < width ? x + 5 : x - 5 - length;
        const level = y - ABOVE_PX;
        const box = [left, level - 8, left + length, level + 8];
        if (left < 0 || taken.some((other) => overlap(box, other))) continue;
        taken.push(box);
        const ink = colour(shape === "dot" ? "--quiet" : "--text");
        Object.assign(ctx, { strokeStyle: colour("--raised"), lineWidth: 3, fillStyle: ink });
        ctx.strokeText(name, left, level);
        ctx.fillText(name, left, level);
      }
    };

    const drawSpot = (ctx, x, y, shape) => {
      const fillStyle = colour(shape === "dot" ? "--quiet" : "--raised");
      Object.assign(ctx, { fillStyle, strokeStyle: colour("--text"), lineWidth: 2 });
      ctx.beginPath();
      if (shape === "box") ctx.rect(x - 4, y - 4, 8, 8);
      else ctx.arc(x, y, shape === "dot" ? 3 : 5, 0, 2 * Math.PI);
      ctx.fill();
      if (shape !== "dot") ctx.stroke();
    };

    const drawScale = (ctx, scale, height) => {
      const bar_m = BARS_M.findLast((length) => length * scale < 130) ?? BARS_M[0];
      Object.assign(ctx, { strokeStyle: colour("--quiet"), fillStyle: colour("--quiet"), lineWidth: 1.5 });
      Object.assign(ctx, { textBaseline: "bottom", textAlign: "left" });
      ctx.beginPath();
      ctx.moveTo(8, height - 13);
      ctx.lineTo(8, height - 8);
      ctx.lineTo(8 + bar_m * scale, height - 8);
      ctx.lineTo(8 + bar_m * scale, height - 13);
      ctx.stroke();
      ctx.fillText(bar_m < 1000 ? `${bar_m} m` : `${bar_m / 1000} km`, 12, height - 10);
    };

    const drawNorth = (ctx, width) => {
      ctx.save();
      ctx.translate(width - 14, 8);
      ctx.fillStyle = colour("--quiet");
      ctx.beginPath();
      ctx.moveTo(0, 0);
      ctx.lineTo(5, 11);
      ctx.lineTo(0, 8);
      ctx.lineTo(-5, 11);
      ctx.fill();
      Object.assign(ctx, { textAlign: "center", textBaseline: "top" });
      ctx.fillText("N", 0, 13);
      ctx.restore();
    };

    const stand = (dot, at) => {
      dot.hidden = at === null;
      if (at !== null) dot.style.transform = `translate(${toPage(at).map((px) => `${px}px`).join(", ")})`;
    };

    draw();
    return {
      momentAt(x, y) {
        const box = canvas.getBoundingClientRect();
        let best = null;
        guide.t_s.forEach((_, k) => {
          const [px, py] = toPage([guide.east[k], guide.north[k]]);
          const off = Math.hypot(px - (x - box.left), py - (y - box.top));
          const moment = off < (best?.off ?? REACH_PX) ? momentOf(k) : null;
          if (moment !== null && !Number.isNaN(moment.tRef)) best = { off, moment };
        });
        return best?.moment ?? null;
      },
      placeOf(moment) {
        const box = canvas.getBoundingClientRect();
        const at = placeOfMoment(moment);
        const [x, y] = at === null ? [0, 0] : toPage(at);
        return { x: box.left + x, y: box.top + y };
      },
      mark(moment, playhead) {
        stand(dots.cursor, moment === null ? null : placeOfMoment(moment));
        stand(dots.new, placeIn(ways.new, playhead.tNew));
        stand(dots.ref, placeIn(ways.ref, playhead.tRef));
      },
      resize: draw,
      draw,
      close() {
        canvas.remove();
        for (const dot of Object.values(dots)) dot.remove();
      },
    };
  };
}

function dotIn(host, name) {
  const dot = document.createElement("div");
  dot.className = `dot ${name}`;
  host.append(dot);
  return dot;
}

/** Whether two boxes, each [left, top, right, bottom], have a part in common. */
function overlap(one, other) {
  return one[0] < other[2] && other[0] < one[2] && one[1] < other[3] && other[1] < one[3];
}

function extent(values) {
  return values.reduce(([low, high], v) => [Math.min(low, v), Math.max(high, v)], [Infinity, -Infinity]);
}
