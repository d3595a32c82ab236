/** Pictures in a list: each is loaded once it is seen, and few at a time. */

import { html, useEffect, useRef, useState } from "./lib.js";

// The daemon makes them one after the other. A browser asks a host six things at a time, and what a person does
// must not wait behind pictures.
const AT_ONCE = 2;
const NEAR = "300px";

/** Lets so many go on at a time, in their order. */
class Turns {
  #nFree;
  #waiting = [];

  constructor(n) {
    this.#nFree = n;
  }

  /** Call `begin` when it is its turn; gives what ends the turn, or the wait for it. */
  take(begin) {
    const turn = { begin, isOn: false };
    this.#waiting.push(turn);
    this.#go();
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== turn);
      if (turn.isOn) this.#nFree += 1;
      turn.isOn = false;
      this.#go();
    };
  }

  #go() {
    while (this.#nFree > 0 && this.#waiting.length > 0) {
      this.#nFree -= 1;
      const turn = this.#waiting.shift();
      turn.isOn = true;
      turn.begin();
    }
  }
}

const turns = new Turns(AT_ONCE);

/** The picture at `source`, or words where there is none. */
export function Still({ source }) {
  const [shown, show] = useState(null);
  const [isMissing, miss] = useState(false);
  const place = useRef();
  const end = useRef(() => {});
  useEffect(() => {
    let hasBegun = false;
    const begin = () => {
      hasBegun = true;
      show(source);
    };
    const seen = new IntersectionObserver(([entry]) => {
      if (hasBegun) return;
      end.current();
      // Whoever scrolls past waits for nothing there.
      if (entry.isIntersecting) end.current = turns.take(begin);
    }, { rootMargin: NEAR });
    seen.observe(place.current);
    return () => {
      seen.disconnect();
      end.current();
    };
  }, [source]);
  const gone = () => {
    end.current();
    miss(true);
  };
  return html`<span class="run-still" ref=${place}>${isMissing ? "no picture"
    : shown && html`<img alt="" src=${shown} onLoad=${() => end.current()} onError=${gone} />`}</span>`;
}
