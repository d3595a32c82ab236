/** A long WAV file, read by pieces: nothing but what is heard or seen is ever loaded. */

import { Refused } from "./api.js";

// What stands before the samples is a few dozen bytes; some writers put notes there.
const HEAD_BYTES = 65_536;
const PCM = 1;
const EXTENSIBLE = 0xfffe;
/** Stands for the size where a file is too large for its own field. */
const UNKNOWN_BYTES = 0xffffffff;

async function bytes(url, first, n_bytes, signal) {
  const headers = { Range: `bytes=${first}-${first + n_bytes - 1}` };
  const answer = await fetch(url, { headers, signal });
  if (answer.status !== 206) {
    const told = await answer.json().catch(() => ({}));
    throw new Refused(answer.status, told.detail ?? `mtbsync answered with ${answer.status}.`);
  }
  const total = Number(answer.headers.get("Content-Range").split("/")[1]);
  return { buffer: await answer.arrayBuffer(), total };
}

const textAt = (view, at) => String.fromCharCode(...new Uint8Array(view.buffer, at, 4));

/** Sound of 16 bits at `url`: `rate_hz` samples a second in `nChannels`, `nFrames` of them. */
export class Wav {
  #url;
  #first;

  constructor(url, { rate_hz, nChannels, first, nFrames }) {
    Object.assign(this, { rate_hz, nChannels, nFrames });
    this.#url = url;
    this.#first = first;
  }

  /** Read its head. */
  static async open(url) {
    const { buffer, total } = await bytes(url, 0, HEAD_BYTES);
    const view = new DataView(buffer);
    const wrong = new Refused(null, "This camera’s sound is no WAV of 16 bits; have it taken in once more.");
    if (view.byteLength < 12 || textAt(view, 8) !== "WAVE") throw wrong;
    let format = null;
    for (let at = 12; at + 8 <= view.byteLength;) {
      const [name, size] = [textAt(view, at), view.getUint32(at + 4, true)];
      if (name === "fmt ") {
        const kind = view.getUint16(at + 8, true);
        if (![PCM, EXTENSIBLE].includes(kind) || view.getUint16(at + 22, true) !== 16) throw wrong;
        format = { nChannels: view.getUint16(at + 10, true), rate_hz: view.getUint32(at + 12, true) };
      } else if (name === "data" && format !== null) {
        const first = at + 8;
        const n_bytes = Math.min(size === UNKNOWN_BYTES ? Infinity : size, total - first);
        return new Wav(url, { ...format, first, nFrames: Math.floor(n_bytes / (2 * format.nChannels)) });
      }
      at += 8 + size + (size % 2);
    }
    throw wrong;
  }

  get duration_s() {
    return this.nFrames / this.rate_hz;
  }

  /** The samples [from, until) of each channel, from -1 to 1. */
  async samples(from, until, signal) {
    const [begin, end] = [Math.max(from, 0), Math.min(until, this.nFrames)];
    const each = Array.from({ length: this.nChannels }, () => new Float32Array(Math.max(end - begin, 0)));
    if (end <= begin) return each;
    const frame_bytes = 2 * this.nChannels;
    const { buffer } = await bytes(this.#url, this.#first + begin * frame_bytes, (end - begin) * frame_bytes, signal);
    // Where a frame begins is even in the file, and so it is in what came.
    const values = new Int16Array(buffer);
    each.forEach((channel, c) => {
      for (let k = 0; k < channel.length; k += 1) channel[k] = values[k * this.nChannels + c] / 32_768;
    });
    return each;
  }
}
