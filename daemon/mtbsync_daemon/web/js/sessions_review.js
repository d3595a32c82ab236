/** The camera that is chosen: how it lies, what that was told from, and moving it until it lies right. */

import { ask, complain, part, say } from "./api.js";
import { clock, difference, moment } from "./format.js";
import { html, useEffect, useLayoutEffect, useRef, useState, useStore } from "./lib.js";
import { Act } from "./desk_acts.js";
import { canvasIn, colour, onTheme } from "./plots.js";
import { pathOf } from "./sessions_store.js";
import { TRUST, decidedOf, lies, methodOf, ms } from "./sessions_words.js";

const ASPECT = 0.34;
const UNHEARD = 409;
/** A second place where the sounds fit as well lies at least so far from the first. */
const APART_S = 0.5;
/** What is lower tells nothing. */
const FAIR_SCORE = 5;
const BY_SOUND = ["hybrid", "xcorr"];

/** How it was found to lie, in words. */
function Found({ placement }) {
  const [grade, word] = TRUST[placement.trust];
  const isFound = placement.found_offset_ms !== null;
  // Once a person has put it in its place, nothing is wanted of them.
  const isPut = placement.status === "corrected";
  return html`
    <p>${isPut ? html`<span class="good">Put in its place by hand</span>`
      : html`<span class=${`grade ${grade}`}>${word}</span>${" "}<span class="quiet">${methodOf(placement)}</span>`}</p>
    <dl class="about number small">
      <div><dt>Found at</dt><dd>${isFound
        ? lies({ offset_ms: placement.found_offset_ms, drift_ppm: placement.found_drift_ppm }) : "–"}</dd></div>
      <div><dt>May be off</dt>
        <dd>${placement.error_ms === null ? "–" : `±${placement.error_ms.toFixed(1)} ms`}</dd></div>
      <div><dt>Score</dt><dd>${placement.score.toFixed(1)}</dd></div>
      <div><dt>State</dt><dd>${decidedOf(placement)}</dd></div>
    </dl>
    ${placement.reason && !(isPut && !isFound) && html`<p class="small">${placement.reason}</p>`}`;
}

/** A number that can be typed; it counts when it is left, or with Enter. */
function Figure({ id, label, unit, value, most, onPut }) {
  const [typed, type] = useState(null);
  const shown = String(Number(value.toFixed(3)));
  const put = (event) => {
    type(null);
    const number = event.currentTarget.valueAsNumber;
    if (Number.isNaN(number)) say(`${label} takes a number; it stays ${shown} ${unit}.`);
    else if (Math.abs(number) > most) say(`${label} is at most ${most.toLocaleString()} ${unit}; it stays ${shown}.`);
    else if (number !== Number(shown)) onPut(number);
  };
  return html`
    <div class="figure"><label for=${id}>${label} <span class="quiet">${unit}</span></label>
      <input id=${id} type="number" min=${-most} max=${most} step="any" inputmode="decimal" value=${typed ?? shown}
        onInput=${(event) => type(event.currentTarget.value)} onChange=${put} /></div>`;
}

function Moving({ open, label }) {
  const at = open.lies(label);
  const frame_ms = open.frame_ms(label);
  const steps = [
    [-frame_ms, "−1 frame", "One frame earlier"], [-1, "−1 ms", "One millisecond earlier"],
    [1, "+1 ms", "One millisecond later"], [frame_ms, "+1 frame", "One frame later"],
  ];
  return html`
    <div class="acts" role="group" aria-label=${`Move camera ${label}`}>${steps.map(([by_ms, text, words]) => html`
      <${Act} key=${words} aria-label=${words} act=${() => open.nudge(label, by_ms)}>${text}<//>`)}</div>
    <div class="figures">
      <${Figure} key=${`offset-${label}`} id="session-offset" label="Offset" unit="ms" most=${1e9}
        value=${at.offset_ms ?? 0} onPut=${(offset_ms) => open.put(label, { offset_ms })} />
      <${Figure} key=${`drift-${label}`} id="session-drift" label="Drift" unit="ppm" most=${1000}
        value=${at.drift_ppm} onPut=${(drift_ppm) => open.put(label, { drift_ppm })} />
    </div>
    <p class="small quiet">Above 0 it began later than the master. One frame of it is ${frame_ms.toFixed(2)} ms.</p>`;
}

/** Somebody else has put it elsewhere meanwhile: both values, and which is to count. */
function Clash({ open, label }) {
  const { drafts } = useStore(open.store);
  return html`
    <div class="notice" role="alert">
      <p>Camera ${label} was changed in another window meanwhile.</p>
      <p class="number">There: <strong>${lies(open.placement(label))}</strong> · yours:${" "}
        <strong>${lies(drafts.get(label))}</strong></p>
      <p class="acts">
        <${Act} act=${() => { open.rebase(label); return open.correct(label); }}>Keep mine<//>
        <${Act} act=${() => open.leave(label)}>Take theirs<//></p>
    </div>`;
}

function Decide({ open, label }) {
  const { drafts } = useStore(open.store);
  const placement = open.placement(label);
  if (open.clashOf(label)) return html`<${Clash} open=${open} label=${label} />`;
  if (drafts.has(label)) {
    return html`<p class="acts">
      <${Act} class="main" act=${() => open.correct(label)}>Save the correction <kbd>C</kbd><//>
      <${Act} act=${() => open.leave(label)}>Leave it as it was <kbd>X</kbd><//></p>`;
  }
  const isNowhere = placement.offset_ms === null;
  return html`<p class="acts">
    ${placement.status === "pending"
      ? html`<${Act} class="main" isOff=${isNowhere} title=${isNowhere ? "Put it in its place first" : null}
          act=${() => open.approve(label)}>Approve <kbd>A</kbd><//>`
      : html`<${Act} act=${() => open.takeBack(label)}>Take back <kbd>Z</kbd><//>`}</p>`;
}

/** The chosen camera. */
export function Review({ open }) {
  const { session, selected, isReadOnly } = useStore(open.store);
  const placement = open.placement(selected);
  const title = html`<h3 id="review-title">Camera ${selected}</h3>`;
  if (selected === session.master) {
    return html`<section class="review" aria-labelledby="review-title">${title}
      <p class="quiet">It is the master: the others are laid on it. To move one, choose it.</p></section>`;
  }
  if (placement === undefined) {
    return html`<section class="review" aria-labelledby="review-title">${title}
      <p class="quiet">It is not lined up yet.</p></section>`;
  }
  return html`
    <section class="review" aria-labelledby="review-title">
      <div class="review-found">${title}<${Found} placement=${placement} /></div>
      ${!isReadOnly && html`<div class="review-move">
        <${Moving} open=${open} label=${selected} /><${Decide} open=${open} label=${selected} /></div>`}
      <${Evidence} key=${selected} open=${open} label=${selected} placement=${placement} />
    </section>`;
}

// --- what it was told from ---------------------------------------------------------------------------------

function Evidence({ open, label, placement }) {
  const lined_up_at = useStore(open.store, ({ session }) => session.lined_up_at);
  const [found, set] = useState(null);
  useEffect(() => {
    let isOpen = true;
    const none = (error) => {
      if (error.status !== UNHEARD) throw error;
      return null;
    };
    ask(pathOf(open.id, label, "/correlation")).catch(none).then((told) => isOpen && set(told), complain);
    return () => { isOpen = false; };
  }, [lined_up_at]);
  if (found === null || found.offset_s.length === 0) return null;
  const isTold = BY_SOUND.includes(placement.method) && placement.score >= FAIR_SCORE;
  return html`
    <div class="review-evidence">
      <${Picture} label="How well its sound fits, by offset" draw=${(made) => drawFits(made, found, placement)}
        shown=${[found, placement]} words=${fitsInWords(found, isTold)} />
      ${isTold && found.window_t_cam_s.length > 1 && html`
        <${Picture} label="Its delay, piece by piece" draw=${(made) => drawPieces(made, found)}
          shown=${[found]} words=${piecesInWords(found)} />`}
    </div>`;
}

/** The best offset, and the best of those that lie elsewhere; null where there is none. */
function peaksOf({ offset_s, z }) {
  const all = z.map((value, k) => ({ z: value, offset_s: offset_s[k] }));
  const most = (found) => found.reduce((one, other) => (other.z > one.z ? other : one));
  const best = most(all);
  const others = all.filter((one) => Math.abs(one.offset_s - best.offset_s) > APART_S);
  return [best, others.length ? most(others) : null];
}

function fitsInWords(found, isTold) {
  const [best, second] = peaksOf(found);
  const [at, z] = [ms(best.offset_s * 1000, 0), best.z.toFixed(1)];
  const other = second && `at ${ms(second.offset_s * 1000, 0)}, has ${second.z.toFixed(1)}`;
  // As high as others is as unsure as low.
  if (!isTold && other && best.z >= FAIR_SCORE) {
    return `Other offsets fit about as well: the best, at ${at}, has ${z}, and another, ${other}.`;
  }
  if (!isTold) {
    return `No offset stands out: the best, at ${at}, has ${z}${other ? `, and another, ${other}` : ""}. `
      + "What is below the dashed line may be chance.";
  }
  return `Best at ${at}, with ${z}. ${other ? `The runner-up, ${other}.` : "Nothing else comes near."}`;
}

/** The line through the pieces that agree: gives the delay on it at a moment of the camera's. */
function lineOf({ window_t_cam_s: t_s, window_offset_s: offsets_s, is_used }) {
  const used = t_s.map((at_s, k) => [at_s, offsets_s[k]]).filter((_, k) => is_used[k]);
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / (values.length || 1);
  const [mean_t_s, mean_s] = [mean(used.map(([at_s]) => at_s)), mean(used.map(([, offset_s]) => offset_s))];
  const shared = mean(used.map(([at_s, offset_s]) => (at_s - mean_t_s) * (offset_s - mean_s)));
  const slope = shared / (mean(used.map(([at_s]) => (at_s - mean_t_s) ** 2)) || 1);
  return (at_s) => mean_s + slope * (at_s - mean_t_s);
}

function piecesInWords(found) {
  const { window_t_cam_s: t_s, window_offset_s: offsets_s, is_used } = found;
  const line = lineOf(found);
  if (!is_used.includes(true)) return `None of ${is_used.length} pieces agree.`;
  const off_ms = t_s.map((at_s, k) => 1000 * Math.abs(offsets_s[k] - line(at_s))).filter((_, k) => is_used[k]);
  const most_ms = Math.max(...off_ms).toFixed(1);
  return `${off_ms.length} of ${is_used.length} pieces agree, within ${most_ms} ms of the line, which is the drift.`;
}

/** A small picture, and what it says in words. */
function Picture({ label, words, draw, shown }) {
  const host = useRef();
  useLayoutEffect(() => {
    const made = canvasIn(host.current, ASPECT);
    made.canvas.setAttribute("aria-hidden", "true");
    const paint = () => draw(made.blank());
    const sizes = new ResizeObserver(paint);
    sizes.observe(host.current);
    const end = onTheme(paint);
    return () => {
      sizes.disconnect();
      end();
      made.canvas.remove();
    };
  }, shown);
  return html`<figure class="evidence"><figcaption class="small"><strong>${label}</strong>${" "}
    <span class="quiet">${words}</span></figcaption><div ref=${host}></div></figure>`;
}

/** Scales for a picture: from values to pixels, within a margin. */
function scales(width, height, [x0, x1], [y0, y1]) {
  const [left, right, top, bottom] = [6, 6, 6, 18];
  return {
    x: (value) => left + ((value - x0) / (x1 - x0 || 1)) * (width - left - right),
    y: (value) => height - bottom - ((value - y0) / (y1 - y0 || 1)) * (height - top - bottom),
    base: height - bottom,
  };
}

function ends(ctx, width, height, first, last) {
  ctx.fillStyle = colour("--quiet");
  ctx.textBaseline = "bottom";
  ctx.textAlign = "left";
  ctx.fillText(first, 4, height - 1);
  ctx.textAlign = "right";
  ctx.fillText(last, width - 4, height - 1);
}

function drawFits({ ctx, width, height }, { offset_s, z }, { offset_ms, through }) {
  const [first, last] = [offset_s[0], offset_s.at(-1)];
  // What is nothing but noise is to look like that.
  const { x, y, base } = scales(width, height, [first, last], [Math.min(0, ...z), Math.max(1.2 * FAIR_SCORE, ...z)]);
  ctx.strokeStyle = colour("--line");
  for (const [level, dashes] of [[0, []], [FAIR_SCORE, [4, 4]]]) {
    ctx.setLineDash(dashes);
    ctx.beginPath();
    ctx.moveTo(0, y(level));
    ctx.lineTo(width, y(level));
    ctx.stroke();
  }
  ctx.setLineDash([]);
  // Of one that is laid on another than the master, the curve is of the offset from that.
  if (through === null && offset_ms !== null && offset_ms >= 1000 * first && offset_ms <= 1000 * last) {
    ctx.strokeStyle = colour("--good");
    ctx.lineWidth = 5;
    ctx.globalAlpha = 0.35;
    ctx.beginPath();
    ctx.moveTo(x(offset_ms / 1000), 0);
    ctx.lineTo(x(offset_ms / 1000), base);
    ctx.stroke();
    ctx.globalAlpha = 1;
  }
  ctx.strokeStyle = colour("--accent");
  ctx.lineWidth = 1;
  ctx.beginPath();
  z.forEach((value, k) => ctx[k === 0 ? "moveTo" : "lineTo"](x(offset_s[k]), y(value)));
  ctx.stroke();
  const [, second] = peaksOf({ offset_s, z });
  if (second !== null) {
    ctx.strokeStyle = colour("--doubt");
    ctx.lineWidth = 2;
    ctx.beginPath();
    ctx.arc(x(second.offset_s), y(second.z), 5, 0, 2 * Math.PI);
    ctx.stroke();
  }
  ends(ctx, width, height, difference(first, 0), difference(last, 0));
}

function drawPieces({ ctx, width, height }, found) {
  const { window_t_cam_s: t_s, window_offset_s: offsets_s, is_used } = found;
  const used = offsets_s.filter((_, k) => is_used[k]);
  const line = lineOf(found);
  const [first, last] = [t_s[0], t_s.at(-1)];
  const shown = used.length ? [...used, line(first), line(last)] : offsets_s;
  const [low, high] = [Math.min(...shown) - 0.001, Math.max(...shown) + 0.001];
  const { x, y } = scales(width, height, [first, last], [low, high]);
  if (used.length) {
    ctx.strokeStyle = colour("--accent");
    ctx.beginPath();
    ctx.moveTo(x(first), y(line(first)));
    ctx.lineTo(x(last), y(line(last)));
    ctx.stroke();
  }
  t_s.forEach((at_s, k) => {
    // Those that are far off stand at the edge.
    const at = [x(at_s), y(Math.min(Math.max(offsets_s[k], low), high))];
    ctx.beginPath();
    ctx.arc(...at, 3, 0, 2 * Math.PI);
    ctx.fillStyle = ctx.strokeStyle = colour(is_used[k] ? "--text" : "--bad");
    if (is_used[k]) ctx.fill();
    else ctx.stroke();
  });
  ends(ctx, width, height, clock(first), clock(last));
}

// --- what became of it -------------------------------------------------------------------------------------

/** What was found and decided, the newest first. */
export function History({ open }) {
  const session = useStore(open.store, (state) => state.session);
  const [events, set] = useState(null);
  useEffect(() => {
    let isOpen = true;
    ask(`/sessions/${part(open.id)}/history`).then((told) => isOpen && set(told.events), complain);
    return () => { isOpen = false; };
  }, [session]);
  if (events === null) return html`<p class="quiet">Loading …</p>`;
  if (events.length === 0) return html`<p class="quiet">Nothing was lined up yet.</p>`;
  return html`<ul class="history small" tabindex="0" aria-label="What was found and decided">
    ${events.map((event, k) => html`<li key=${events.length - k}><span class="quiet number">${moment(event.at)}</span>
      <span>Camera ${event.camera} ${event.what}</span>
      <span class="number">${lies(event)}</span></li>`)}</ul>`;
}
