/** Markers that are moved faster than the daemon is told. */

import { complain } from "./api.js";
import { debounced } from "./lib.js";

/** A person nudges several times in a row; one request, and one undo, is for all of that. */
const NUDGED_MS = 350;

/** Those that have no place come last. */
const byPlace = (one, other) => (one.t_s ?? Infinity) - (other.t_s ?? Infinity) || one.id.localeCompare(other.id);

/**
 * Where markers were put that the daemon has not been told of yet. `tell(id, t_s)` tells it and loads what came of
 * that; where it refuses, `reload` shows how things are.
 */
export class Places {
  #places = new Map();
  #sending = null;
  #soon = debounced(() => this.send(), NUDGED_MS);

  constructor(tell, reload) {
    this.tell = tell;
    this.reload = reload;
  }

  /** Have a marker stand at `t_s` from now on. */
  put(id, t_s) {
    this.#places.set(id, t_s);
    this.#soon();
  }

  /** `markers` where a person sees them now, in order. */
  placed(markers) {
    return markers.map((m) => (this.#places.has(m.id) ? { ...m, t_s: this.#places.get(m.id) } : m)).sort(byPlace);
  }

  /** Tell of all, one request at a time; of what comes in meanwhile the newest counts. */
  send() {
    this.#sending ??= this.#sendOnes().finally(() => { this.#sending = null; });
    return this.#sending;
  }

  async #sendOnes() {
    while (this.#places.size > 0) {
      const [id, t_s] = this.#places.entries().next().value;
      const isTold = await this.tell(id, t_s).then(() => true, complain);
      if (!isTold || this.#places.get(id) === t_s) this.#places.delete(id);
      if (!isTold) await this.reload().catch(complain);
    }
  }
}
