/** Numbers as people read them. */

const DATE = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });

/** Seconds as m:ss, or h:mm:ss; with `digits` behind the point. */
export function clock(t_s, digits = 0) {
  if (t_s === null || Number.isNaN(t_s)) return "–";
  const sign = t_s < 0 ? "−" : "";
  const scale = 10 ** digits;
  const units = Math.round(Math.abs(t_s) * scale);
  const whole = Math.floor(units / scale);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n) => String(n).padStart(2, "0");
  const rest = digits ? `.${String(units % scale).padStart(digits, "0")}` : "";
  return `${sign}${h ? `${h}:${two(m)}` : m}:${two(s)}${rest}`;
}

/** A difference in seconds, with its sign. */
export function difference(t_s, digits = 2) {
  return `${t_s < 0 ? "−" : "+"}${Math.abs(t_s).toFixed(digits)} s`;
}

/** When a recording was made, by its camera's clock; where that did not say so, when it was added. */
export function when({ created_utc, added_at }) {
  return created_utc === null ? `added ${moment(added_at)}` : DATE.format(new Date(created_utc));
}

/** A moment, given in seconds since 1970. */
export function moment(at_s) {
  return DATE.format(new Date(at_s * 1000));
}

/** A share as a whole per cent. */
export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/** "1 marker", "2 markers". */
export function count(n, one, many = `${one}s`) {
  return `${n} ${n === 1 ? one : many}`;
}

/** A rate that comes as "30000/1001" or "25", in frames a second. */
export function rate(text) {
  const [n, d = "1"] = text.split("/");
  return Number(n) / Number(d);
}
