/** What a sound looks like: the least and the most of each piece, coarse from a file, fine from the samples. */

import { Refused } from "./api.js";

const VERSION = 2;
const HEAD_BYTES = 24;
const IS_8_BIT = 1;

/** Least and most of a sound in pieces of equal length; `range` gives them for any stretch. */
export class Peaks {
  // Pairs of least and most, from -1 to 1; each level has pieces twice as long as the one before.
  #levels;
  #piece_s;

  constructor(pairs, piece_s) {
    this.#piece_s = piece_s;
    this.#levels = [pairs];
    for (let last = pairs; last.length > 4; last = this.#levels.at(-1)) this.#levels.push(halved(last));
  }

  /** What a file of BBC's audiowaveform holds: version 2, 8 bits; all channels together. */
  static fromFile(buffer) {
    const head = new DataView(buffer);
    if (head.getInt32(0, true) !== VERSION || (head.getUint32(4, true) & IS_8_BIT) === 0) {
      throw new Refused(null, "This camera’s waveform cannot be drawn; have it taken in once more.");
    }
    const [rate_hz, perPiece] = [head.getInt32(8, true), head.getInt32(12, true)];
    const [n, nChannels] = [head.getUint32(16, true), head.getInt32(20, true)];
    const values = new Int8Array(buffer, HEAD_BYTES, n * nChannels * 2);
    const pairs = new Float32Array(2 * n);
    for (let k = 0; k < n; k += 1) {
      let [low, high] = [127, -128];
      for (let c = 0; c < nChannels; c += 1) {
        low = Math.min(low, values[2 * (k * nChannels + c)]);
        high = Math.max(high, values[2 * (k * nChannels + c) + 1]);
      }
      pairs[2 * k] = low / 128;
      pairs[2 * k + 1] = high / 127;
    }
    return new Peaks(pairs, perPiece / rate_hz);
  }

  /** Seconds of its finest pieces. */
  get piece_s() {
    return this.#piece_s;
  }

  /** Least and most between two moments; null where there is nothing. */
  range(from_s, until_s) {
    const nHalved = Math.floor(Math.log2((until_s - from_s) / this.#piece_s));
    const level = Math.max(0, Math.min(nHalved, this.#levels.length - 1));
    const pairs = this.#levels[level];
    const piece_s = this.#piece_s * 2 ** level;
    const first = Math.max(Math.floor(from_s / piece_s), 0);
    const end = Math.min(Math.max(Math.ceil(until_s / piece_s), first + 1), pairs.length / 2);
    if (until_s < 0 || end <= first) return null;
    let [low, high] = [1, -1];
    for (let k = first; k < end; k += 1) {
      low = Math.min(low, pairs[2 * k]);
      high = Math.max(high, pairs[2 * k + 1]);
    }
    return [low, high];
  }
}

function halved(pairs) {
  const n = Math.ceil(pairs.length / 4);
  const made = new Float32Array(2 * n);
  for (let k = 0; k < n; k += 1) {
    const other = Math.min(4 * k + 2, pairs.length - 2);
    made[2 * k] = Math.min(pairs[4 * k], pairs[other]);
    made[2 * k + 1] = Math.max(pairs[4 * k + 1], pairs[other + 1]);
  }
  return made;
}
