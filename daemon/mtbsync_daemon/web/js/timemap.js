/**
 * A time map in the browser: the same curve, support and errors as TimeMap of mtbsync_engine.model, so that what
 * a person sees here is what the engine carries over.
 */

/** Rounding in the inverse never takes the edge of a supported stretch out of it. */
const EDGE_S = 1e-9;
const N_HALVINGS = 64;

/** Strictly increasing map t_new -> t_ref, in seconds; outside `support` it answers NaN rather than extrapolate. */
export class TimeMap {
  /** @param {{t_new: number[], t_ref: number[], se_s: number[], support: [number, number][]}} document of the API */
  constructor({ t_new, t_ref, se_s, support }) {
    /** The knots, and one standard error of t_ref at each. */
    this.knots = { tNew: t_new, tRef: t_ref, se: se_s };
    /** Closed, ascending intervals of t_new that evidence stands behind. */
    this.support = support;
    this.derivatives = derivativesAt(t_new, t_ref);
  }

  /** @returns {boolean} whether evidence stands behind `tNew` */
  supports(tNew) {
    return this.support.some(([start, end]) => start <= tNew && tNew <= end);
  }

  /** @returns {number} t_ref at `tNew`, or NaN */
  toRef(tNew) {
    return this.supports(tNew) ? this.curve(tNew).value : NaN;
  }

  /** @returns {number} t_new at `tRef`, the exact inverse of `toRef`, or NaN */
  toNew(tRef) {
    const found = this.support.find(
      ([start, end]) => this.curve(start).value - EDGE_S <= tRef && tRef <= this.curve(end).value + EDGE_S,
    );
    return found === undefined ? NaN : Math.min(Math.max(this.solve(tRef), found[0]), found[1]);
  }

  /** @returns {number} dt_ref/dt_new at `tNew`: above 1 the new run is the faster; or NaN */
  slope(tNew) {
    return this.supports(tNew) ? this.curve(tNew).slope : NaN;
  }

  /** @returns {number} how far t_new may be off at `tRef`, in seconds, for `nSe` standard errors of t_ref; or NaN */
  errorNew(tRef, nSe = 1) {
    const tNew = this.toNew(tRef);
    if (Number.isNaN(tNew)) return NaN;
    const k = this.intervalOf(this.knots.tNew, tNew);
    const [a, b] = [this.knots.tNew[k], this.knots.tNew[k + 1]];
    const share = (tNew - a) / (b - a);
    const off = nSe * (this.knots.se[k] * (1 - share) + this.knots.se[k + 1] * share);
    const floor = off / Math.max(this.slope(tNew), 1);
    return Math.max(tNew - this.solve(tRef - off), this.solve(tRef + off) - tNew, floor);
  }

  /** The curve and its slope between the first knot and the last, whatever supports it. */
  curve(tNew) {
    const { tNew: x, tRef: y } = this.knots;
    const k = this.intervalOf(x, tNew);
    const h = x[k + 1] - x[k];
    const chord = (y[k + 1] - y[k]) / h;
    const [d0, d1] = [this.derivatives[k], this.derivatives[k + 1]];
    const bend = (d0 + d1 - 2 * chord) / h;
    const [c2, c3] = [(chord - d0) / h - bend, bend / h];
    const s = tNew - x[k];
    return { value: y[k] + s * (d0 + s * (c2 + s * c3)), slope: d0 + s * (2 * c2 + s * 3 * c3) };
  }

  /** Bisection inside the knot interval that holds `tRef`; the end knots stand for all beyond. */
  solve(tRef) {
    const k = this.intervalOf(this.knots.tRef, tRef);
    let [low, high] = [this.knots.tNew[k], this.knots.tNew[k + 1]];
    for (let n = 0; n < N_HALVINGS; n += 1) {
      const middle = 0.5 * (low + high);
      if (this.curve(middle).value < tRef) low = middle;
      else high = middle;
    }
    return 0.5 * (low + high);
  }

  /** The index of the interval of `knots` that holds `t`, or of the nearest one. */
  intervalOf(knots, t) {
    let [low, high] = [0, knots.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (knots[middle] <= t) low = middle;
      else high = middle;
    }
    return low;
  }
}

/** Slopes at the knots (x, y) by Fritsch and Butland's harmonic means, as scipy's PchipInterpolator has them. */
function derivativesAt(x, y) {
  const h = x.slice(1).map((b, k) => b - x[k]);
  const chords = h.map((step, k) => (y[k + 1] - y[k]) / step);
  if (chords.length === 1) return [chords[0], chords[0]];
  const inner = chords.slice(1).map((after, k) => {
    const [w1, w2] = [2 * h[k + 1] + h[k], h[k + 1] + 2 * h[k]];
    return (w1 + w2) / (w1 / chords[k] + w2 / after);
  });
  const n = chords.length;
  const first = endSlope(h[0], h[1], chords[0], chords[1]);
  const last = endSlope(h[n - 1], h[n - 2], chords[n - 1], chords[n - 2]);
  return [first, ...inner, last];
}

/** The slope at an end knot by the three-point formula, kept from overshooting; a map rises, so all chords do. */
function endSlope(h0, h1, chord0, chord1) {
  return Math.max(0, ((2 * h0 + h1) * chord0 - h0 * chord1) / (h0 + h1));
}
