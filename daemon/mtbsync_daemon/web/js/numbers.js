/** Runs in numbers: how good their syncs are, what fails the strict gates, and what they cost. */

import { ask, complain, onEvent, part } from "./api.js";
import { count, moment, percent } from "./format.js";
import { debounced, html, useEffect, useMemo, useState } from "./lib.js";

// A chart in units that are about pixels: its size, and the room for what is written beside its axes.
const [WIDTH, HEIGHT] = [400, 180];
const [LEFT, RIGHT, TOP, BOTTOM] = [44, 8, 10, 22];
const N_TICKS = 4;
const N_COLOURS = 8;
const N_TENTHS = 10;
const SETTLE_MS = 2000;
const UNKNOWN = "–";
const SHARES = ["inlier_frac", "coverage"];
const QUALITY = ["p90_s", "inlier_frac", "coverage", "margin", "ppm"];
const ARROWS = { ascending: " ▲", descending: " ▼" };
const COST = ["fps", "cpu_pct", "rss_mb", "gpu_util"];

/** A run's value of a measure, without sign; null where it is not known. Only affine maps have one drift. */
function valueOf(measure, run) {
  const value = run[measure.field];
  if (value === null || (measure.field === "ppm" && !run.model?.startsWith("affine"))) return null;
  return Math.abs(value);
}

const deskOf = (run) => `#/run/${part(run.recording)}`;

function shown(measure, value) {
  if (value === null || value === undefined) return UNKNOWN;
  if (SHARES.includes(measure.field)) return percent(value);
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${measure.unit}`.trim();
}

// --- charts --------------------------------------------------------------------------------------

/** 1, 2 or 5 times a power of ten, of which a few make `most`. */
function roundStep(most) {
  if (most <= 0) return 1;
  const rough = most / N_TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].find((k) => k * power >= rough * (1 - 1e-9)) * power;
}

/** The vertical axis of a chart, from 0 to a round number that is `most` or more. */
function scaleTo(most) {
  const step = roundStep(most);
  const nSteps = Math.max(1, Math.ceil(most / step - 1e-9));
  return {
    y: (value) => HEIGHT - BOTTOM - (value / (step * nSteps)) * (HEIGHT - TOP - BOTTOM),
    ticks: Array.from({ length: nSteps + 1 }, (_, k) => k * step),
  };
}

/** A tick without what floating point adds to it. */
const round = (value) => Number(value.toPrecision(6));

/** The middle of the k-th of n runs. */
const across = (k, n) => LEFT + ((k + 0.5) / n) * (WIDTH - LEFT - RIGHT);

function Chart({ title, note, scale, tick, gate = null, legend = null, children }) {
  return html`
    <figure>
      <figcaption>${title} <span class="quiet">${note}</span></figcaption>
      <svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
        ${scale.ticks.map((value) => html`
          <line class="axis" x1=${LEFT} x2=${WIDTH - RIGHT} y1=${scale.y(value)} y2=${scale.y(value)} />
          <text x=${LEFT - 6} y=${scale.y(value) + 4} text-anchor="end">${tick(value)}</text>`)}
        ${gate !== null && html`
          <line class="gate" x1=${LEFT} x2=${WIDTH - RIGHT} y1=${scale.y(gate)} y2=${scale.y(gate)} />
          <text class="gate-name" x=${WIDTH - RIGHT} y=${scale.y(gate) - 4} text-anchor="end">gate</text>`}
        ${children}
      </svg>
      ${legend}
    </figure>`;
}

/** A run in a chart: a circle where it passes, a cross where it fails. The table has the links for the keyboard. */
function Mark({ run, x, y, says }) {
  const drawn = run.fails.length === 0
    ? html`<circle class="passes" cx=${x} cy=${y} r="3.5" />`
    : html`<path class="fails-mark" d=${`M${x - 3.5} ${y - 3.5}l7 7m-7 0l7 -7`} />`;
  const mark = html`<title>${run.run}: ${says}</title><circle class="room" cx=${x} cy=${y} r="8" />${drawn}`;
  return run.recording ? html`<a href=${deskOf(run)} tabindex="-1">${mark}</a>` : html`<g>${mark}</g>`;
}

/** A measure run by run; nothing where no run has it. */
function Dots({ measure, runs, gate = null }) {
  const values = runs.map((run) => valueOf(measure, run));
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return null;
  const isShare = SHARES.includes(measure.field);
  const scale = scaleTo(Math.max(...known, gate ?? 0));
  const tick = (value) => (isShare ? percent(value) : round(value));
  const note = `${measure.unit && !isShare ? `${measure.unit}, ` : ""}${count(known.length, "run")}`;
  return html`
    <${Chart} title=${measure.title} note=${note} scale=${scale} tick=${tick} gate=${gate}>
      ${runs.map((run, k) => values[k] !== null && html`
        <${Mark} run=${run} x=${across(k, runs.length)} y=${scale.y(values[k])} says=${shown(measure, values[k])} />`)}
    <//>`;
}

/** What each run's time went into, one bar on the other. */
function Stages({ runs }) {
  const stages = [...new Set(runs.flatMap((run) => Object.keys(run.stage_s)))];
  if (stages.length === 0) return null;
  const total_s = (run) => Object.values(run.stage_s).reduce((sum, s) => sum + s, 0);
  const scale = scaleTo(Math.max(...runs.map(total_s)));
  const width = Math.min(24, (0.8 * (WIDTH - LEFT - RIGHT)) / runs.length);
  const bars = runs.flatMap((run, k) => {
    let below_s = 0;
    return stages.map((stage, n) => {
      const s = run.stage_s[stage] ?? 0;
      const [y, bottom] = [scale.y(below_s + s), scale.y(below_s)];
      below_s += s;
      return s > 0 && html`
        <rect class=${colour(n)} x=${across(k, runs.length) - width / 2} y=${y} width=${width}
          height=${bottom - y}><title>${run.run}: ${named(stage)} ${s.toFixed(2)} s</title></rect>`;
    });
  });
  const legend = html`<ul class="numbers-key">${stages.map((stage, n) => html`
    <li key=${stage}><svg viewBox="0 0 10 10" aria-hidden="true">
      <rect class=${colour(n)} width="10" height="10" /></svg>
      ${named(stage)}</li>`)}</ul>`;
  return html`<${Chart} title="Seconds by stage" scale=${scale} tick=${round} legend=${legend}>${bars}<//>`;
}

const named = (stage) => stage.replaceAll("_", " ");
const colour = (n) => `s${n % N_COLOURS}`;

/** Markers by tenths of their confidence. */
function Histogram({ counts }) {
  const n = counts.reduce((sum, one) => sum + one, 0);
  if (n === 0) return null;
  const scale = scaleTo(Math.max(...counts));
  const step = (WIDTH - LEFT - RIGHT) / N_TENTHS;
  const note = `${count(n, "marker")}, ${percent(counts[N_TENTHS - 1] / n)} of them 0.9 or more`;
  return html`
    <${Chart} title="Confidence of markers" note=${note} scale=${scale} tick=${(value) => value}>
      ${counts.map((one, k) => html`
        <rect class="s0" x=${LEFT + k * step + 1} y=${scale.y(one)} width=${step - 2}
          height=${scale.y(0) - scale.y(one)}><title>${k / N_TENTHS} to ${(k + 1) / N_TENTHS}: ${one}</title></rect>`)}
      ${[0, 5, N_TENTHS].map((k) => html`
        <text x=${LEFT + k * step} y=${HEIGHT - 6} text-anchor="middle">${k / N_TENTHS}</text>`)}
    <//>`;
}

// --- the table -----------------------------------------------------------------------------------

/** What can be seen of a run, and what it is sorted by. */
function columnsOf(measures, runs) {
  const told = measures.filter((m) => runs.some((run) => valueOf(m, run) !== null));
  return [
    { title: "Run", of: (run) => run.run.toLowerCase() },
    { title: "When", of: (run) => run.made_at, css: "when", cell: (run) => moment(run.made_at) },
    { title: "Strict gates", of: (run) => run.fails.length, css: "why", cell: why },
    { title: "Verdict", of: (run) => run.verdict, cell: (run) => run.verdict ?? UNKNOWN },
    ...told.map((m) => {
      const of = (run) => valueOf(m, run);
      return { title: m.title, of, css: "number", cell: (run) => shown(m, of(run)) };
    }),
    { title: "Markers placed", of: (run) => run.n_placed, css: "number", cell: placed },
  ];
}

function why({ fails }) {
  return fails.length === 0 ? "Passes" : html`<strong class="bad">Fails.</strong> ${fails.join(" ")}`;
}

const placed = (run) => (run.n_markers === null ? UNKNOWN : `${run.n_placed ?? 0} of ${run.n_markers}`);

/** In order of a column; what is not known comes last either way. */
function sorted(runs, of, isDown) {
  const known = runs.filter((run) => of(run) !== null);
  known.sort((a, b) => (of(a) < of(b) ? -1 : of(a) > of(b) ? 1 : 0) * (isDown ? -1 : 1));
  return [...known, ...runs.filter((run) => of(run) === null)];
}

function Table({ measures, runs }) {
  const [by, sort] = useState({ title: "When", isDown: true });
  const columns = columnsOf(measures, runs);
  const { of } = columns.find((column) => column.title === by.title) ?? columns[0];
  const choose = (title) => sort({ title, isDown: by.title === title && !by.isDown });
  const order = (title) => (title !== by.title ? null : by.isDown ? "descending" : "ascending");
  return html`
    <div class="scrolls" tabindex="0" role="region" aria-label="Each run">
      <table>
        <caption class="visually-hidden">Each run; the buttons in the first row sort</caption>
        <thead><tr>${columns.map(({ title, css }) => html`
          <th key=${title} scope="col" class=${css} aria-sort=${order(title)}>
            <button type="button" class="plain" onClick=${() => choose(title)}>
              ${title}<span aria-hidden="true">${ARROWS[order(title)]}</span></button></th>`)}</tr></thead>
        <tbody>${sorted(runs, of, by.isDown).map((run) => html`
          <tr key=${run.folder}>
            <th scope="row">${run.recording ? html`<a href=${deskOf(run)}>${run.run}</a>` : run.run}</th>
            ${columns.slice(1).map(({ title, css, cell }) => html`<td key=${title} class=${css}>${cell(run)}</td>`)}
          </tr>`)}</tbody>
      </table>
    </div>`;
}

// --- the page ------------------------------------------------------------------------------------

function Figures({ measures, summary }) {
  const median = (field) => shown(measures.find((m) => m.field === field), summary.spreads[field]?.median);
  const figures = [
    ["Runs", summary.n],
    ["Pass the strict gates", percent(summary.n_passed / summary.n)],
    ["Median P90 residual", median("p90_s")],
    ["Median time to line up", median("total_s")],
  ];
  return html`<dl class="numbers-figures">${figures.map(([name, value]) => html`
    <div key=${name}><dt>${name}</dt><dd class="number">${value}</dd></div>`)}</dl>`;
}

function gatesInWords({ min_inlier_frac, max_p90_s, max_ppm }) {
  return `inlier share ${percent(min_inlier_frac)} or more, P90 residual ${max_p90_s} s at most, ` +
    `drift of an affine map ${max_ppm} ppm at most`;
}

/** Charts of some of the measures. */
function dots(fields, measures, runs, gates = {}) {
  const chosen = measures.filter((m) => fields.includes(m.field));
  return chosen.map((m) => html`<${Dots} key=${m.field} measure=${m} runs=${runs} gate=${gates[m.field]} />`);
}

function LeftOut({ sentences }) {
  return sentences.length > 0 && html`
    <details class="section"><summary><h2>${count(sentences.length, "file")} left out</h2></summary>
      <ul>${sentences.map((sentence) => html`<li key=${sentence}>${sentence}</li>`)}</ul></details>`;
}

/** The page of all runs' numbers. */
export function Numbers() {
  const [found, show] = useState(null);
  const [nAsked, askAgain] = useState(0);
  useEffect(() => {
    const gone = new AbortController();
    // Of several answers the newest counts, and after leaving none does.
    const unlessGone = (use) => (answer) => gone.signal.aborted || use(answer);
    ask("/quality", { signal: gone.signal }).then(unlessGone(show), unlessGone(complain));
    return () => gone.abort();
  }, [nAsked]);
  useEffect(() => {
    const later = debounced(() => askAgain((n) => n + 1), SETTLE_MS);
    const end = onEvent(({ kind }) => ["sync", "markers", "reload"].includes(kind) && later());
    return () => {
      end();
      later.cancel();
    };
  }, []);
  const inOrder = useMemo(() => found && [...found.runs].reverse(), [found]);
  if (found === null) return html`<p class="quiet">Loading …</p>`;
  const { gates, measures, summary, runs } = found;
  if (runs.length === 0) {
    return html`<div class="numbers"><h1>Numbers</h1>
      <p class="hint">There are no numbers yet: no run has been lined up with a trail. On <a href="#/">Runs</a>, make a
        marked-up ride the reference of a trail, then drop in another ride of it.</p>
      <${LeftOut} sentences=${found.left_out} /></div>`;
  }
  const limits = { p90_s: gates.max_p90_s, inlier_frac: gates.min_inlier_frac, ppm: gates.max_ppm };
  return html`
    <div class="numbers">
      <div class="numbers-top"><h1>Numbers</h1>
        <a class="button" href="/api/v1/quality/report" download>Download the report</a></div>
      <${Figures} measures=${measures} summary=${summary} />
      <h2>Quality, run by run</h2>
      <p class="quiet">The oldest run is on the left. Circles pass the strict gates, crosses fail them:
        ${" "}${gatesInWords(gates)}. The numbers are in the table below.</p>
      <div class="numbers-charts">
        ${dots(QUALITY, measures, inOrder, limits)}
        <${Histogram} counts=${summary.confidence_n} />
      </div>
      <h2>Time, run by run</h2>
      <div class="numbers-charts"><${Stages} runs=${inOrder} />${dots(COST, measures, inOrder)}</div>
      <h2>Each run</h2>
      <${Table} measures=${measures} runs=${runs} />
      <${LeftOut} sentences=${found.left_out} />
    </div>`;
}
