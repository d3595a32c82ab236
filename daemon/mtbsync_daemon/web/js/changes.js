/** What is asked of the daemon one after the other, so that no answer comes before that of what was asked first. */

/** Changes that are made one after the other, each on what the one before left; `reload` loads what came of one. */
export class Changes {
  #last = Promise.resolve();

  constructor(reload) {
    this.reload = reload;
  }

  /** What `make()` gives, once that is loaded, also where it was refused because somebody else came first. */
  make(make) {
    const done = this.#last.then(make).finally(this.reload);
    this.#last = done.catch(() => {});
    return done;
  }
}

/** Loading that runs once at a time: `load()` loads everything anew. */
export class Loads {
  #loading = null;
  #again = null;

  constructor(load) {
    this.load = load;
  }

  /** Load; gives when what is there now has been loaded. */
  now() {
    if (this.#loading === null) {
      this.#loading = this.load().finally(() => { this.#loading = null; });
      return this.#loading;
    }
    // What is being loaded may be older than what the caller knows of.
    const again = () => {
      this.#again = null;
      return this.now();
    };
    this.#again ??= this.#loading.then(again, again);
    return this.#again;
  }
}
