/** Timecode as mtbsync_engine.timing writes it (SMPTE ST 12-1): a frame count, and its numbers. */

const WRITTEN = /^(\d{2}):(\d{2}):(\d{2})([:;])(\d{2,3})$/;

/**
 * The timecode `frame` frames after `start`.
 * @param {string} start "01:00:00:00", with ";" before the frames where it is drop-frame
 * @param {number} rate frames a second
 */
export function timecodeAt(start, frame, rate) {
  const [, h, m, s, separator, f] = WRITTEN.exec(start);
  const nominal = Math.ceil(rate - 1e-3);
  // Two numbers at 29.97 are left out at the start of every minute but each tenth.
  const dropped = separator === ";" ? Math.floor(nominal / 15) : 0;
  const minutes = Number(h) * 60 + Number(m);
  const first = (minutes * 60 + Number(s)) * nominal + Number(f) - dropped * (minutes - Math.floor(minutes / 10));
  const ofTenMinutes = 600 * nominal - 9 * dropped;
  const count = (first + frame) % (144 * ofTenMinutes);
  const [tens, rest] = [Math.floor(count / ofTenMinutes), count % ofTenMinutes];
  const later = Math.floor(Math.max(0, rest - dropped) / (60 * nominal - dropped));
  const number = count + dropped * (9 * tens + later);
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  const frames = String(number % nominal).padStart(Math.max(2, String(nominal - 1).length), "0");
  const seconds = number / nominal;
  return `${two(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}${separator}${frames}`;
}
