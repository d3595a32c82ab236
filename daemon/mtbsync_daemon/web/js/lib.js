/** What every part of the page is made with: Preact, its hooks, and HTML in template strings. */

import { h, render, Fragment } from "../vendor/preact.js";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../vendor/hooks.js";
import htm from "../vendor/htm.js";

export const html = htm.bind(h);
export { render, Fragment, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState };

/** A state that several parts share: one frozen object, replaced as a whole. */
export class Store {
  #state;
  #listeners = new Set();

  constructor(state) {
    this.#state = Object.freeze({ ...state });
  }

  get() {
    return this.#state;
  }

  /** Replace some of it, and tell whoever listens. */
  set(changed) {
    this.#state = Object.freeze({ ...this.#state, ...changed });
    for (const listener of [...this.#listeners]) listener(this.#state);
  }

  /** Call `listener` with each new state; gives what ends that. */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** What `selector` makes of a store's state, for a component that is drawn again when that changes. */
export function useStore(store, selector = (state) => state) {
  const [, draw] = useState(0);
  const selected = useRef();
  selected.current = selector(store.get());
  useEffect(() => {
    const look = (state) => {
      if (selector(state) !== selected.current) draw((n) => n + 1);
    };
    look(store.get());
    return store.subscribe(look);
  }, [store]);
  return selected.current;
}

/** For a component: `act`, once at a time for the same `deps`; called again meanwhile, it gives what is under way. */
export function useOnce(act, deps = []) {
  const underway = useMemo(() => ({ current: null }), deps);
  return (...given) => {
    underway.current ??= act(...given).finally(() => { underway.current = null; });
    return underway.current;
  };
}

/**
 * Call `work` at most once in `wait_ms`, after the last of several calls; `.now()` does it at once if it waits,
 * `.cancel()` not at all.
 */
export function debounced(work, wait_ms) {
  let timer = null;
  let waiting = null;
  const later = (...args) => {
    waiting = args;
    clearTimeout(timer);
    timer = setTimeout(later.now, wait_ms);
  };
  later.now = () => {
    clearTimeout(timer);
    if (waiting === null) return undefined;
    const args = waiting;
    waiting = null;
    return work(...args);
  };
  later.cancel = () => {
    clearTimeout(timer);
    waiting = null;
  };
  return later;
}
