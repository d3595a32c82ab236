/**
 * Two videos that show the same place: the new run plays, and the reference follows it through the time map.
 *
 * Times are seconds on a recording's own clock, which begins at its first presented picture. A file's clock may
 * begin elsewhere, so where its first picture stands is measured.
 */

import { part } from "./api.js";
import { rate } from "./format.js";

/** What browsers allow as a video's speed. */
const SLOWEST = 0.0625;
const FASTEST = 16;
/** So much faster or slower for each second that the reference is behind or ahead. */
const GAIN_PER_S = 4;
/** Further off than this it is sooner there by a jump. */
const JUMP_S = 0.4;
/** A new speed takes about that long to be heard of. */
const REACTION_S = 0.03;
/** A change of speed below a hundredth is left out. */
const SAME_SPEED = 0.01;
/** A picture that is on show already is not presented again, so nobody waits for it longer than this. */
const PRESENTED_WITHIN_MS = 150;
const HAVE_FUTURE_DATA = 3;
const PATIENCE_MS = 10_000;
const CANNOT = "This browser cannot play this kind of video.";

/**
 * What a `Pair` is to play of a recording.
 * @param {object} recording document of the API
 * @returns {{chapters: {url: string, offset_s: number, duration_s: number}[], copies: string[], rate: number}}
 *   `copies` are tried in their order, and `rate` is in frames a second
 */
export function sourceOf(recording) {
  return {
    chapters: recording.files.map(({ offset_s, duration_s }, ordinal) => ({
      url: `/api/v1/recordings/${part(recording.id)}/files/${ordinal}`,
      offset_s,
      duration_s,
    })),
    // Where somebody had a light copy made, the others did not do.
    copies: [
      ...(recording.has_light_copy ? ["light"] : []),
      "original",
      ...(recording.has_camera_copy ? ["camera"] : []),
    ],
    rate: rate(recording.rate),
  };
}

/** One recording in one `<video>`: a chapter at a time, and one jump at a time of which the newest counts. */
class Side {
  constructor({ chapters, copies, rate }, onChange) {
    this.chapters = chapters;
    this.all = copies;
    /** Those that are worth a try, and which of them plays. */
    this.copies = copies;
    this.copy = null;
    this.rate = rate;
    this.onChange = onChange;
    this.video = document.createElement("video");
    this.video.muted = true;
    this.video.playsInline = true;
    // So a video at rest lets go of its connection, of which a browser has six for all its tabs.
    this.video.preload = "metadata";
    this.video.preservesPitch = true;
    /** Why none of the copies plays, or "", and whether that is for want of one that this browser can show. */
    this.problem = "";
    this.isUnplayable = false;
    /** Seconds that a jump took lately. */
    this.jumpTook_s = 0.1;
    this.shown_s = 0;
    this.target_s = 0;
    this.wanted_s = null;
    this.isBusy = false;
    this.isClosed = false;
    this.ordinal = -1;
    this.first_s = 0;
    this.watchFrames();
    this.video.addEventListener("error", () => {
      // While it jumps, the jump hears of it.
      if (!this.isBusy && this.ordinal >= 0 && !this.isClosed) this.mend();
    });
  }

  get end_s() {
    const last = this.chapters.at(-1);
    return last === undefined ? 0 : last.offset_s + last.duration_s;
  }

  /** Where the clock stands, between pictures too. */
  get now_s() {
    if (this.isBusy || this.ordinal < 0) return this.target_s;
    return this.chapters[this.ordinal].offset_s + this.video.currentTime - this.first_s;
  }

  /** The time of the picture on show, or of that which is about to be. */
  get t_s() {
    return this.isBusy ? this.target_s : this.shown_s;
  }

  /** Whether its clock is running now. */
  get isMoving() {
    const { paused, ended, readyState } = this.video;
    return !this.isBusy && !paused && !ended && readyState >= HAVE_FUTURE_DATA;
  }

  /** The time of the frame nearest to `t_s`. */
  frameAt(t_s) {
    const { chapter } = this.chapterAt(t_s);
    const n = Math.max(1, Math.floor(chapter.duration_s * this.rate + 1e-6));
    const k = Math.min(Math.max(Math.round((t_s - chapter.offset_s) * this.rate), 0), n - 1);
    return chapter.offset_s + k / this.rate;
  }

  chapterAt(t_s) {
    const half = 0.5 / this.rate;
    const found = this.chapters.findLastIndex((c) => c.offset_s <= t_s + half);
    const ordinal = Math.max(found, 0);
    return { ordinal, chapter: this.chapters[ordinal] };
  }

  /** Show the frame nearest to `t_s`. While a jump is under way only the newest of those that come in counts. */
  seek(t_s) {
    if (this.chapters.length === 0) return;
    this.wanted_s = this.target_s = this.frameAt(t_s);
    if (!this.isBusy) this.jump();
  }

  async jump() {
    this.isBusy = true;
    while (this.wanted_s !== null && !this.isClosed) {
      const t_s = this.wanted_s;
      this.wanted_s = null;
      await this.goTo(t_s);
    }
    this.isBusy = false;
    if (!this.isClosed) this.onChange("settled", this);
  }

  async goTo(t_s) {
    const { ordinal, chapter } = this.chapterAt(t_s);
    if (ordinal !== this.ordinal && !(await this.load(ordinal))) {
      this.shown_s = t_s;
      return;
    }
    const began = performance.now();
    // The middle of a frame is safe from rounding.
    this.video.currentTime = this.first_s + (t_s - chapter.offset_s) + 0.5 / this.rate;
    if (!(await heard(this.video, "seeked"))) return this.breakDown(t_s);
    // One that was on its way before the jump may still have been presented meanwhile.
    await Promise.race([this.nextFrame(), passed(PRESENTED_WITHIN_MS)]);
    if (this.video.error !== null) return this.breakDown(t_s);
    this.jumpTook_s = 0.7 * this.jumpTook_s + 0.3 * ((performance.now() - began) / 1000);
  }

  /** Have a chapter ready, from the first copy that plays. @returns {Promise<boolean>} whether any does */
  async load(ordinal) {
    this.ordinal = -1;
    let why = "";
    for (const copy of this.copies) {
      this.copy = copy;
      const url = this.urlOf(ordinal);
      if (await this.open(url)) {
        this.ordinal = ordinal;
        this.shown_s = this.chapters[ordinal].offset_s;
        this.problem = "";
        return true;
      }
      if (this.isClosed) return false;
      why = (await this.judge(url)) || why;
    }
    this.giveUp(why);
    return false;
  }

  urlOf(ordinal) {
    return `${this.chapters[ordinal].url}?which=${this.copy}`;
  }

  /** @returns {Promise<boolean>} whether the file at `url` has pictures that this browser shows */
  async open(url) {
    this.video.src = url;
    const presented = this.nextFrame();
    // Of what it cannot decode a browser may play the sound alone.
    if (!(await heard(this.video, "loadeddata")) || this.video.videoWidth === 0) return false;
    const first_s = await presented;
    if (first_s === null) return false;
    this.first_s = first_s;
    return true;
  }

  /**
   * Why the copy that was tried last is not played; "" where it was had and this browser cannot show it, so that it
   * is not tried again.
   */
  async judge(url) {
    const { error } = this.video;
    const why = await whyAway(url);
    if (why !== "") return why;
    if (error?.code === MediaError.MEDIA_ERR_NETWORK) return "The video broke off on its way here.";
    this.copies = this.copies.filter((copy) => copy !== this.copy);
    return "";
  }

  /** What plays broke down: go on with it, or with another copy where this browser cannot show it. */
  async mend() {
    this.isBusy = true;
    this.target_s = this.frameAt(this.shown_s);
    await this.judge(this.urlOf(this.ordinal));
    this.ordinal = -1;
    this.wanted_s ??= this.target_s;
    await this.jump();
  }

  /** A jump to `t_s` broke down: go on with another copy where this browser cannot show that one. */
  async breakDown(t_s) {
    const why = await this.judge(this.urlOf(this.ordinal));
    this.ordinal = -1;
    this.shown_s = t_s;
    if (why === "") this.wanted_s ??= t_s;
    else this.giveUp(why);
  }

  giveUp(why) {
    if (this.isClosed) return;
    this.isUnplayable = !this.copies.includes("original");
    const problem = this.isUnplayable ? CANNOT : why;
    if (problem === this.problem) return;
    this.problem = problem;
    this.onChange("problem", this);
  }

  /** Try `copies` anew, from the first on. */
  reload(copies = this.all) {
    this.all = this.copies = copies;
    this.ordinal = -1;
    this.seek(this.target_s);
  }

  /**
   * @returns {Promise<number | null>} the file's own second of the frame that is presented next; null when the video
   * fails before that
   */
  nextFrame() {
    return new Promise((resolve) => {
      const done = new AbortController();
      const end = (media_s) => {
        done.abort();
        resolve(media_s);
      };
      this.video.requestVideoFrameCallback((now, { mediaTime }) => end(mediaTime));
      this.video.addEventListener("error", () => end(null), { signal: done.signal });
    });
  }

  watchFrames() {
    this.video.requestVideoFrameCallback((now, { mediaTime }) => {
      if (this.isClosed) return;
      if (this.ordinal >= 0) {
        this.shown_s = this.chapters[this.ordinal].offset_s + mediaTime - this.first_s;
        this.onChange("frame", this);
      }
      this.watchFrames();
    });
  }

  /** Run at `speed`, clamped to what browsers allow. */
  run(speed) {
    if (this.isBusy || this.problem || this.video.ended) return;
    const rate = Math.min(Math.max(speed, SLOWEST), FASTEST);
    if (Math.abs(rate / this.video.playbackRate - 1) > SAME_SPEED) this.video.playbackRate = rate;
    this.target_s = NaN;
    // It is refused where the video is paused again at once, which is nothing to tell of.
    if (this.video.paused) this.video.play().catch(() => {});
  }

  halt() {
    this.video.pause();
  }

  close() {
    this.isClosed = true;
    this.video.pause();
    this.video.removeAttribute("src");
    this.video.load();
  }
}

/**
 * The new run and the reference, locked through the map.
 *
 * Events: "time" (at most once a frame, also at rest after a jump), "play", "pause", "state" (what the getters say
 * has changed), "problem" (detail: {side: "new" | "ref", reason, isUnplayable}; none of its copies plays).
 */
export class Pair extends EventTarget {
  #sides;
  #leader = "new";
  // Where a marker was gone to, until something else is.
  #place = null;
  #pulse = 0;
  #back = null;
  #closed = new AbortController();

  /**
   * @param {{newSource: object, refSource: object | null, map: import("./timemap.js").TimeMap | null}} parts
   *   sources as of `sourceOf`
   */
  constructor({ newSource, refSource, map }) {
    super();
    const onChange = (what, side) => this.#changed(what, side);
    this.#sides = {
      new: new Side(newSource, onChange),
      ref: new Side(refSource ?? { chapters: [], copies: [], rate: 1 }, onChange),
    };
    this.map = map;
    this.isPlaying = false;
    this.isLocked = true;
    /** Times of real time; below 0 it goes backwards. */
    this.speed = 1;
    /** The speed that a person chose. */
    this.pace = 1;
    /** Whether each side shows the place that the other does, or waits at the edge of what the map knows. */
    this.newShows = true;
    this.refShows = true;
    /** Whose sound is heard: "new", "ref" or "none". */
    this.sound = "none";
    this.#sides.new.seek(0);
    this.#sides.ref.seek(0);
    // Nothing keeps them together where nothing is drawn.
    const away = () => document.hidden && this.pause();
    document.addEventListener("visibilitychange", away, { signal: this.#closed.signal });
    this.#follow();
  }

  get newVideo() {
    return this.#sides.new.video;
  }

  get refVideo() {
    return this.#sides.ref.video;
  }

  /** Where the new run stands: at rest, exactly the time of the frame on show. */
  get t_new_s() {
    return this.#timeOf(this.#sides.new);
  }

  get t_ref_s() {
    return this.#timeOf(this.#sides.ref);
  }

  /** Whether both stand still on the frames that they were sent to. */
  get isAtRest() {
    return !this.isPlaying && !this.#sides.new.isBusy && !this.#sides.ref.isBusy;
  }

  /** What keeps a side ("new" or "ref") from being played: {reason, isUnplayable}, or null. */
  problemOf(name) {
    const { problem, isUnplayable } = this.#sides[name];
    return problem ? { reason: problem, isUnplayable } : null;
  }

  #timeOf(side) {
    return this.isPlaying && this.speed > 0 ? side.now_s : side.t_s;
  }

  /** Play at `speed` times real time; below 0 backwards, by jumps. */
  play(speed = this.pace) {
    this.#place = null;
    if (this.isLocked) this.#leader = "new";
    const leading = this.#sides[this.#leader];
    if (leading.problem) return;
    if (leading.t_s >= leading.frameAt(leading.end_s) && speed > 0) leading.seek(0);
    this.speed = speed;
    this.#back = speed < 0 ? { from_s: leading.t_s, since_ms: performance.now() } : null;
    if (speed < 0) this.#halt();
    const hasBegun = !this.isPlaying;
    this.isPlaying = true;
    this.#tell(hasBegun ? "play" : "state");
    this.#beat();
  }

  /** Stand still, both on frames. */
  pause() {
    if (!this.isPlaying) return;
    this.isPlaying = false;
    this.#halt();
    const leading = this.#sides[this.#leader];
    leading.seek(leading.t_s);
    this.#follow();
    this.#tell("pause");
  }

  toggle() {
    if (this.isPlaying) this.pause();
    else this.play();
  }

  setPace(pace) {
    this.pace = pace;
    if (this.isPlaying) this.play();
    else this.#tell("state");
  }

  /** Go to the frame nearest to `t_new_s`; the reference follows. */
  seekNew(t_new_s) {
    this.#lead("new", t_new_s);
  }

  /** Go to the reference's frame nearest to `t_ref_s`; the new run follows. */
  seekRef(t_ref_s) {
    this.#lead("ref", t_ref_s);
  }

  /** Go to a place that a marker names on both clocks: each side to its own frame, whatever the map says of it. */
  seekPlace(t_new_s, t_ref_s) {
    this.#lead("new", t_new_s);
    this.#place = { target_s: this.#sides.new.target_s, t_ref_s };
    if (!this.isPlaying) this.#follow();
  }

  /** Go `nFrames` on from where it stands; unlocked, on the side that was moved last. */
  step(nFrames) {
    if (this.isPlaying) this.pause();
    if (this.isLocked) this.#leader = "new";
    const side = this.#sides[this.#leader];
    // From where it was sent, not from what is shown: at a variable rate a frame may last longer than one step.
    this.#lead(this.#leader, side.target_s + nFrames / side.rate);
  }

  /** Go `seconds` on, in the same way. */
  skip(seconds) {
    if (this.isLocked) this.#leader = "new";
    this.#lead(this.#leader, this.#timeOf(this.#sides[this.#leader]) + seconds);
  }

  setMap(map) {
    this.map = map;
    this.#follow();
    this.#tell("state");
  }

  /** Unlocked, each side moves by itself, so that a person can find the same place by hand. */
  setLocked(isLocked) {
    if (this.isPlaying) this.pause();
    this.isLocked = isLocked;
    if (isLocked) this.#follow();
    this.#tell("state");
  }

  /** @param {"new" | "ref" | "none"} whose */
  setSound(whose) {
    this.sound = whose;
    for (const [name, side] of Object.entries(this.#sides)) side.video.muted = name !== whose;
    this.#tell("state");
  }

  /** A side's recording has copies that it did not have; go on with the first that plays. */
  reload(name, source) {
    this.#sides[name].reload(source.copies);
    this.#tell("state");
  }

  /** Try again what did not play. */
  retry() {
    for (const side of Object.values(this.#sides)) if (side.problem) side.reload();
  }

  /** Let go of the files. */
  close() {
    this.#closed.abort();
    this.isPlaying = false;
    cancelAnimationFrame(this.#pulse);
    for (const side of Object.values(this.#sides)) side.close();
  }

  // --- the lock ---------------------------------------------------------------------------------------

  #lead(name, t_s) {
    this.#leader = name;
    this.#place = null;
    const side = this.#sides[name];
    if (side.chapters.length === 0) return;
    side.seek(Math.min(Math.max(t_s, 0), side.end_s));
    if (this.#back !== null) this.#back = { from_s: side.target_s, since_ms: performance.now() };
    if (!this.isPlaying || this.speed < 0) this.#follow();
    this.#tellTime();
  }

  /** At rest: send the other side to where the leading one stands or is going. */
  #follow() {
    if (!this.isLocked || this.map === null) return this.#shows(true, true);
    const { new: run, ref } = this.#sides;
    if (this.#leader === "new") {
      const isPlace = this.#place !== null && this.#place.target_s === run.target_s;
      const t_ref_s = isPlace ? this.#place.t_ref_s : this.map.toRef(run.t_s);
      this.#shows(true, !Number.isNaN(t_ref_s));
      seekOnce(ref, Number.isNaN(t_ref_s) ? this.#edgeNear(run.t_s).ref_s : t_ref_s);
    } else {
      const t_new_s = this.map.toNew(ref.t_s);
      this.#shows(!Number.isNaN(t_new_s), true);
      seekOnce(run, Number.isNaN(t_new_s) ? this.#edgeNear(ref.t_s, "ref_s").new_s : t_new_s);
    }
  }

  /** Of the edges of support the one nearest to a moment outside it, on both clocks. */
  #edgeNear(t_s, clock = "new_s") {
    const edges = this.map.support.flat().map((new_s) => ({ new_s, ref_s: this.map.toRef(new_s) }));
    return edges.reduce((a, b) => (Math.abs(b[clock] - t_s) < Math.abs(a[clock] - t_s) ? b : a));
  }

  /** While playing: have the reference keep up with the new run. */
  #keepUp() {
    const { new: run, ref } = this.#sides;
    if (this.map === null || ref.chapters.length === 0 || ref.isBusy) return;
    const t_new_s = run.now_s;
    const want_s = this.map.toRef(t_new_s);
    this.#shows(true, !Number.isNaN(want_s));
    if (ref.problem) {
      // Its time is told even so.
      ref.target_s = Number.isNaN(want_s) ? ref.target_s : want_s;
      return;
    }
    if (Number.isNaN(want_s)) {
      ref.halt();
      seekOnce(ref, this.#edgeNear(t_new_s).ref_s);
      return;
    }
    const behind_s = want_s - ref.now_s;
    const slope = this.map.slope(t_new_s + REACTION_S * this.speed) || this.map.slope(t_new_s);
    const speed = run.isMoving ? slope * this.speed : 0;
    if (Math.abs(behind_s) > JUMP_S || ref.chapterAt(want_s).ordinal !== ref.ordinal) {
      // It goes on meanwhile.
      seekOnce(ref, want_s + speed * ref.jumpTook_s);
      return;
    }
    const wanted = speed + GAIN_PER_S * behind_s;
    // Browsers go no slower than that: where the rider of the reference rushed past, it moves by fits and starts.
    if (wanted < SLOWEST / 2) ref.halt();
    else ref.run(wanted);
  }

  #beat() {
    cancelAnimationFrame(this.#pulse);
    if (!this.isPlaying) return;
    const leading = this.#sides[this.#leader];
    if (leading.problem) return this.pause();
    if (this.speed < 0) this.#stepBack(leading);
    else this.#goOn(leading);
    this.dispatchEvent(new Event("time"));
    if (this.isPlaying) this.#pulse = requestAnimationFrame(() => this.#beat());
  }

  #goOn(leading) {
    if (!leading.isBusy && leading.video.ended) {
      const next = leading.chapters[leading.ordinal + 1];
      if (next === undefined) return this.pause();
      leading.seek(next.offset_s);
    }
    leading.run(this.speed);
    if (this.isLocked) this.#keepUp();
  }

  #stepBack(leading) {
    const t_s = this.#back.from_s + (this.speed * (performance.now() - this.#back.since_ms)) / 1000;
    seekOnce(leading, Math.max(t_s, 0));
    this.#follow();
    if (t_s <= 0) this.pause();
  }

  #halt() {
    for (const side of Object.values(this.#sides)) side.halt();
  }

  // --- what is told -----------------------------------------------------------------------------------

  #changed(what, side) {
    const name = side === this.#sides.new ? "new" : "ref";
    if (what === "problem") {
      const detail = { side: name, reason: side.problem, isUnplayable: side.isUnplayable };
      this.dispatchEvent(new CustomEvent("problem", { detail }));
    } else {
      // The frame that is shown may be another than that nearest to what was wanted.
      if (name === this.#leader && !this.isPlaying && !side.isBusy) this.#follow();
      this.#tellTime();
    }
    if (what === "settled") this.#tell("state");
  }

  #shows(newShows, refShows) {
    if (newShows === this.newShows && refShows === this.refShows) return;
    [this.newShows, this.refShows] = [newShows, refShows];
    this.#tell("state");
  }

  #tell(name) {
    this.dispatchEvent(new Event(name));
  }

  #tellTime() {
    if (this.isPlaying) return;
    cancelAnimationFrame(this.#pulse);
    this.#pulse = requestAnimationFrame(() => this.#tell("time"));
  }
}

/** Jump unless it has been sent to that very frame and has not run since. */
function seekOnce(side, t_s) {
  if (side.chapters.length > 0 && side.frameAt(t_s) !== side.target_s) side.seek(t_s);
}

/** @returns {Promise<boolean>} true once `name` happens, false when the video fails before that */
function heard(video, name) {
  return new Promise((resolve) => {
    const done = new AbortController();
    const end = (isWell) => {
      done.abort();
      resolve(isWell);
    };
    video.addEventListener(name, () => end(true), { signal: done.signal });
    video.addEventListener("error", () => end(false), { signal: done.signal });
  });
}

function passed(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Why the file at `url` cannot be had, for a person; "" where it can. */
async function whyAway(url) {
  const wanted = { headers: { Range: "bytes=0-0" }, signal: AbortSignal.timeout(PATIENCE_MS) };
  const answer = await fetch(url, wanted).catch(() => null);
  if (answer === null) return "mtbsync does not answer. Is it still running?";
  if (answer.ok) return "";
  const told = await answer.json().catch(() => ({}));
  return told.detail ?? `mtbsync answered with ${answer.status}.`;
}
