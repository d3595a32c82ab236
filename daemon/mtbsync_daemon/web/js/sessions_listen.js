/** Two cameras heard together as they lie: where they lie right there is no echo. Long sounds are loaded by pieces. */

import { complain } from "./api.js";
import { Store } from "./lib.js";
import { madeOf } from "./sessions_store.js";
import { Wav } from "./sessions_wav.js";

const PIECE_S = 8;
/** So much is ready before it is heard; timers of pages that nobody sees run once a second. */
const AHEAD_S = 4;
const PUMP_MS = 250;
/** From a press to the first sound, so that both begin together. */
const LEAD_S = 0.06;
const MOST_PIECES = 6;

/** One camera's sound: its pieces, those used last kept. */
class Sound {
  #pieces = new Map();

  constructor(wav) {
    this.wav = wav;
    this.n = Math.round(PIECE_S * wav.rate_hz);
    this.nPieces = Math.ceil(wav.nFrames / this.n);
  }

  static async of({ url }) {
    return new Sound(await Wav.open(url));
  }

  /** Piece `k`, if it is there already. */
  ready(k) {
    return this.#pieces.get(k)?.buffer;
  }

  /** Piece `k` as an AudioBuffer. */
  async load(context, k) {
    const known = this.#pieces.get(k) ?? { loading: this.#read(context, k) };
    this.#pieces.delete(k);
    this.#pieces.set(k, known);
    if (this.#pieces.size > MOST_PIECES) this.#pieces.delete(this.#pieces.keys().next().value);
    try {
      known.buffer = await known.loading;
    } catch (error) {
      this.#pieces.delete(k);
      throw error;
    }
    return known.buffer;
  }

  async #read(context, k) {
    const channels = await this.wav.samples(k * this.n, (k + 1) * this.n);
    const buffer = context.createBuffer(channels.length, channels[0].length, this.wav.rate_hz);
    channels.forEach((channel, c) => buffer.copyToChannel(channel, c));
    return buffer;
  }
}

/** A camera that is being heard: which of its pieces are scheduled, and where it lies. */
class Voice {
  // By number of piece: its node, or null while it is loaded.
  #nodes = new Map();

  constructor(context, sound) {
    this.context = context;
    this.sound = sound;
    this.gain = context.createGain();
    this.pan = context.createStereoPanner();
    this.gain.connect(this.pan).connect(context.destination);
  }

  /** Say where it lies: offset_s, and the master's seconds in one of its own. */
  lie({ offset_s, pace }) {
    if (this.offset_s === offset_s && this.pace === pace) return;
    Object.assign(this, { offset_s, pace });
    this.hush();
  }

  /** Have it heard from `t_master_s` on, which is at `now_s` of the context's clock; `onError` hears what fails. */
  fill(t_master_s, now_s, onError) {
    const t_cam_s = (t_master_s - this.offset_s) / this.pace;
    const first = Math.max(Math.floor(t_cam_s / PIECE_S), 0);
    const last = Math.min(Math.floor((t_cam_s + AHEAD_S) / PIECE_S), this.sound.nPieces - 1);
    // What the master's clock shows at the context's zero.
    const zero_s = t_master_s - now_s;
    for (let k = first; k <= last; k += 1) {
      if (this.#nodes.has(k)) continue;
      this.#nodes.set(k, null);
      const nodes = this.#nodes;
      const at_s = this.offset_s + this.pace * k * PIECE_S - zero_s;
      const play = (buffer) => nodes === this.#nodes && nodes.set(k, this.#schedule(buffer, at_s));
      const ready = this.sound.ready(k);
      if (ready) play(ready);
      else this.sound.load(this.context, k).then(play, onError);
    }
  }

  #schedule(buffer, at_s) {
    const node = this.context.createBufferSource();
    node.buffer = buffer;
    node.playbackRate.value = 1 / this.pace;
    node.connect(this.gain);
    // What should have begun already begins within.
    const late_s = Math.max(0, this.context.currentTime - at_s);
    if (late_s / this.pace < buffer.duration) node.start(at_s + late_s, late_s / this.pace);
    return node;
  }

  /** Be silent; nothing is scheduled any more. */
  hush() {
    for (const node of this.#nodes.values()) node?.disconnect();
    this.#nodes = new Map();
  }

  end() {
    this.hush();
    this.pan.disconnect();
  }
}

/**
 * The playhead on the master's clock (`t_master_s`), and the cameras that are heard from it on: the selected one, and
 * the one that it is held against. `store` has {isPlaying, isLoading, against (a label; null: the master), isApart (one
 * left, one right), volumes (by label, from 0 to 1)}. Tells "time" whenever the playhead moves. `close()` ends it.
 */
export class Listening extends EventTarget {
  store = new Store({ isPlaying: false, isLoading: false, against: null, isApart: false, volumes: new Map() });

  #t_master_s = 0;
  #context = null;
  // While it plays: the playhead was at `t_master_s` when the context's clock was at `at_s`.
  #from = null;
  #sounds = new Map();
  #voices = new Map();
  #timer = 0;
  #frame = 0;
  // The camera that was chosen last.
  #chosen = null;
  #ends;

  constructor(open) {
    super();
    this.open = open;
    this.#ends = [open.store.subscribe(() => this.#follow()), this.store.subscribe(() => this.#follow())];
    this.#follow();
  }

  close() {
    this.pause();
    for (const end of this.#ends) end();
    this.#context?.close();
  }

  get t_master_s() {
    if (this.#from === null) return this.#t_master_s;
    const since_s = this.#context.currentTime - this.#from.at_s;
    return this.#from.t_master_s + Math.max(0, since_s);
  }

  /** The cameras that are heard, the one held against first; one alone where both are the same. */
  get labels() {
    const { session, selected } = this.open.store.get();
    const { against } = this.store.get();
    const rows = this.open.rows.map(({ label }) => label);
    const held = rows.includes(against) ? against : session.master;
    return [...new Set([held, selected])].filter((label) => rows.includes(label));
  }

  volumeOf(label) {
    return this.store.get().volumes.get(label) ?? 1;
  }

  setVolume(label, volume) {
    this.store.set({ volumes: new Map(this.store.get().volumes).set(label, volume) });
  }

  toggle() {
    return this.store.get().isPlaying ? this.pause() : this.play();
  }

  async play() {
    if (this.store.get().isPlaying) return;
    // Only what a person does may begin a sound.
    this.#context ??= new AudioContext({ latencyHint: "interactive" });
    if (this.#t_master_s >= this.open.extent_s[1] - 0.05) this.seek(this.open.extent_s[0]);
    this.store.set({ isPlaying: true, isLoading: true });
    await this.#context.resume();
    await this.#begin();
  }

  pause() {
    if (!this.store.get().isPlaying) return;
    this.#t_master_s = this.t_master_s;
    this.#stop();
    this.store.set({ isPlaying: false, isLoading: false });
    this.dispatchEvent(new Event("time"));
  }

  /** Put the playhead elsewhere; what plays goes on from there. */
  seek(t_master_s) {
    const [begin_s, end_s] = this.open.extent_s;
    this.#t_master_s = Math.min(Math.max(t_master_s, begin_s), end_s);
    if (this.#from !== null) {
      for (const voice of this.#voices.values()) voice.hush();
      this.#from = { at_s: this.#context.currentTime + LEAD_S, t_master_s: this.#t_master_s };
      this.#pump();
    }
    this.dispatchEvent(new Event("time"));
  }

  skip(by_s) {
    this.seek(this.t_master_s + by_s);
  }

  /** Load what is to be heard first, and begin. */
  async #begin() {
    try {
      await Promise.all(this.labels.map(async (label) => {
        const sound = await this.#soundOf(label);
        const { offset_s, pace } = this.open.clockOf(label);
        const k = Math.floor((this.#t_master_s - offset_s) / pace / PIECE_S);
        if (k >= 0 && k < sound?.nPieces) await sound.load(this.#context, k);
      }));
    } catch (error) {
      complain(error);
      this.pause();
    }
    if (!this.store.get().isPlaying || this.#from !== null) return;
    this.#from = { at_s: this.#context.currentTime + LEAD_S, t_master_s: this.#t_master_s };
    this.store.set({ isLoading: false });
    this.#timer = setInterval(() => this.#pump(), PUMP_MS);
    this.#tick();
  }

  #stop() {
    clearInterval(this.#timer);
    cancelAnimationFrame(this.#frame);
    for (const voice of this.#voices.values()) voice.end();
    this.#voices.clear();
    this.#from = null;
  }

  /** A camera's sound; none where it has no file of that. */
  #soundOf(label) {
    const made = madeOf(this.open.id, this.open.camera(label), "audio-wav");
    if (made === null) return Promise.resolve(null);
    if (!this.#sounds.has(made.key)) {
      const opened = Sound.of(made);
      this.#sounds.set(made.key, opened);
      opened.catch(() => this.#sounds.delete(made.key));
    }
    return this.#sounds.get(made.key);
  }

  /** What is heard is as things are now: whoever is moved is heard where they are moved to at once. */
  #follow() {
    const { selected } = this.open.store.get();
    const isAnother = selected !== this.#chosen;
    this.#chosen = selected;
    if (isAnother && this.labels.includes(selected)) this.#meet(selected);
    if (this.#from !== null) this.#pump();
  }

  /** Where a camera did not record at the playhead, go to the first moment that all who are heard recorded. */
  #meet(label) {
    const [from_s, until_s] = this.open.spanOf_s(label);
    if (from_s <= this.t_master_s && this.t_master_s < until_s) return;
    const spans = this.labels.map((one) => this.open.spanOf_s(one));
    const both_s = Math.max(...spans.map(([begin_s]) => begin_s));
    if (both_s < Math.min(...spans.map(([, end_s]) => end_s))) this.seek(both_s);
  }

  #pump() {
    const labels = this.labels;
    for (const [label, voice] of this.#voices) {
      if (labels.includes(label)) continue;
      voice.end();
      this.#voices.delete(label);
    }
    for (const label of labels) this.#fill(label, labels).catch((error) => this.#fail(error));
  }

  async #fill(label, labels) {
    let voice = this.#voices.get(label);
    if (voice === undefined) {
      const sound = await this.#soundOf(label);
      if (sound === null || this.#from === null || !this.labels.includes(label)) return;
      // Another call may have been quicker.
      voice = this.#voices.get(label) ?? new Voice(this.#context, sound);
      this.#voices.set(label, voice);
    }
    const isSecond = labels.indexOf(label) === 1;
    voice.pan.pan.value = this.store.get().isApart && labels.length === 2 ? (isSecond ? 1 : -1) : 0;
    // Two together are as loud as one.
    voice.gain.gain.value = this.volumeOf(label) * (labels.length === 2 ? 0.7 : 1);
    voice.lie(this.open.clockOf(label));
    const now_s = Math.max(this.#context.currentTime, this.#from.at_s);
    voice.fill(this.#from.t_master_s + now_s - this.#from.at_s, now_s, (error) => this.#fail(error));
  }

  #fail(error) {
    this.pause();
    complain(error);
  }

  #tick() {
    this.#frame = requestAnimationFrame(() => {
      if (this.#from === null) return;
      this.dispatchEvent(new Event("time"));
      if (this.t_master_s >= this.open.extent_s[1]) this.pause();
      else this.#tick();
    });
  }
}
