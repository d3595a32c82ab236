/** A marker's words, saved as they are typed; what somebody else changed meanwhile is never overruled unasked. */

import { Refused, complain, onEvent } from "./api.js";
import { COLOURS, swatchOf } from "./markers.js";
import { Store, debounced, html, useEffect, useMemo, useStore } from "./lib.js";

/** So long after the last key what was typed is saved. */
const TYPED_MS = 700;
/** Others do not change a marker more often than that while it is saved. */
const MOST_TRIES = 5;

const asIs = (value) => value;
const words = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);
function seconds(text) {
  const value = text.trim() === "" ? NaN : Number(text.replace(",", "."));
  return value >= 0 ? value : undefined;
}


/** How each field is written for a person and read again; what cannot be read is undefined. */
const FIELDS = {
  name: { label: "Name", write: asIs, read: (text) => text.trim() || undefined, problem: "A marker needs a name." },
  colour: { label: "Colour", write: asIs, read: (text) => text.trim() },
  comment: { label: "Comment", hint: "goes to the editor", write: asIs, read: asIs, isLong: true },
  note: { label: "Note", hint: "stays here, between people", write: asIs, read: asIs, isLong: true },
  labels: { label: "Labels", hint: "with commas between them", write: (value) => value.join(", "), read: words },
  duration_s: {
    label: "Duration", hint: "seconds", write: (value) => String(Number(value.toFixed(3))), read: seconds,
    problem: "A duration is a number of seconds, 0 or more.",
  },
};

const textOf = (marker, field) => FIELDS[field].write(marker[field]);

/** A text as it would come back once saved. */
function tidied(field, text) {
  const value = FIELDS[field].read(text);
  return value === undefined ? text : FIELDS[field].write(value);
}

/** Escape hands the keys back to the players, and so does Enter where a field has one line. */
function leave(event) {
  const isDone = event.key === "Escape" || (event.key === "Enter" && event.currentTarget.tagName === "INPUT");
  if (isDone && !event.isComposing) event.currentTarget.blur();
}

/** Whether somebody else changed what a person has begun to change. */
const clashes = (marker, field, { base, sent, text }) =>
  ![base, sent, tidied(field, text)].includes(textOf(marker, field));

/** Those that hold something, by the recording or trail they are of. */
const unsaved = new Map();

/**
 * What people typed that is not saved yet, by the marker's id: {fields: {name: {base, text, sent}, ...}, isSaved}. A
 * field's `base` is what it was before, `sent` what is on its way.
 */
class Drafts extends Store {
  constructor(of) {
    super({});
    this.of = of;
  }

  #last = Promise.resolve();

  set(changed) {
    super.set(changed);
    if (this.#ids().length > 0) unsaved.set(this.of, this);
    else unsaved.delete(this.of);
  }

  #ids() {
    return Object.keys(this.get()).filter((id) => Object.keys(this.fieldsOf(id)).length > 0);
  }

  /** The markers that are there and not saved. */
  openIds() {
    return this.#ids().filter((id) => this.find(id) !== undefined);
  }

  fieldsOf(id) {
    return this.get()[id]?.fields ?? {};
  }

  type(id, field, text) {
    const fields = this.fieldsOf(id);
    const draft = { base: textOf(this.find(id), field), ...fields[field], text };
    this.set({ [id]: { fields: { ...fields, [field]: draft }, isSaved: false } });
  }

  /** Settle a clash: with `isMine` what a person typed counts. */
  settle(id, field, isMine) {
    const { [field]: { text }, ...others } = this.fieldsOf(id);
    const mine = { [field]: { base: textOf(this.find(id), field), text } };
    this.set({ [id]: { fields: isMine ? { ...others, ...mine } : others, isSaved: !isMine } });
  }

  /** Leave a marker as it is. */
  forget(id) {
    this.set({ [id]: { fields: {}, isSaved: false } });
  }

  /** Save what can be; gives whether all is. One after the other, so that nothing is sent twice. */
  keep(id) {
    this.#last = this.#last.then(() => this.#keep(id)).catch((error) => {
      complain(error);
      return false;
    });
    return this.#last;
  }

  async #keep(id) {
    if (Object.keys(this.fieldsOf(id)).length === 0) return true;
    for (let n = 0; n < MOST_TRIES; n += 1) {
      const sent = this.#ready(id);
      if (Object.keys(sent).length > 0) {
        const onItsWay = (field) => (field in sent ? tidied(field, sent[field]) : undefined);
        this.#each(id, (field, draft) => ({ ...draft, sent: onItsWay(field) }));
        const read = ([field, text]) => [field, FIELDS[field].read(text)];
        const change = Object.fromEntries(Object.entries(sent).map(read));
        try {
          await this.save(id, change);
        } catch (error) {
          // Somebody was quicker: what they changed is known now, and what does not clash with it is sent again.
          if (error.status === 412) continue;
          throw error;
        }
      }
      this.#drop(id, sent);
      break;
    }
    return Object.keys(this.fieldsOf(id)).length === 0;
  }

  /** The texts that can be saved as things are, by field. */
  #ready(id) {
    const marker = this.find(id);
    if (marker === undefined) throw new Refused(404, "That marker is gone; it was removed elsewhere.");
    return Object.fromEntries(Object.entries(this.fieldsOf(id))
      .filter(([field, draft]) => !clashes(marker, field, draft) && FIELDS[field].read(draft.text) !== undefined)
      .filter(([field, { text }]) => tidied(field, text) !== textOf(marker, field))
      .map(([field, { text }]) => [field, text]));
  }

  /** Forget what was saved, unless more was typed, and what was typed back to how it is. */
  #drop(id, sent) {
    const marker = this.find(id);
    this.#each(id, (field, draft) => {
      if (draft.text === sent[field] || tidied(field, draft.text) === textOf(marker, field)) return null;
      return field in sent ? { base: textOf(marker, field), text: draft.text } : draft;
    });
  }

  /** Put what `change(field, draft)` gives in place of each draft; null forgets it. */
  #each(id, change) {
    const fields = Object.entries(this.fieldsOf(id)).map(([field, draft]) => [field, change(field, draft)]);
    this.set({ [id]: { fields: Object.fromEntries(fields.filter(([, draft]) => draft !== null)), isSaved: true } });
  }
}

/**
 * The drafts of what has that id, a recording or trail; those that were not saved before a person left it are there
 * again. `find(id)` gives a marker as it is known now, `save(id, change)` changes it and has it loaded anew, also where
 * it was refused.
 */
export function draftsOf(of, { find, save }) {
  return Object.assign(unsaved.get(of) ?? new Drafts(of), { find, save });
}

addEventListener("beforeunload", (event) => {
  if ([...unsaved.values()].some((drafts) => drafts.openIds().length > 0)) event.preventDefault();
});

function Field({ name, marker, drafts, later, save }) {
  const { label, hint, problem, read, isLong } = FIELDS[name];
  const draft = drafts.fieldsOf(marker.id)[name];
  const text = draft?.text ?? textOf(marker, name);
  const isWrong = read(text) === undefined;
  const id = `marker-${name}`;
  const given = {
    id, value: text, "aria-describedby": `${id}-hint`, "aria-invalid": isWrong ? "true" : null,
    onInput: (event) => {
      drafts.type(marker.id, name, event.currentTarget.value);
      later();
    },
    onBlur: save,
  };
  return html`
    <div class=${`field ${name}`}>
      <label for=${id}>${label}</label>
      ${isLong ? html`<textarea rows="2" onKeyDown=${leave} ...${given}></textarea>` : html`
        <span class="with-swatch">
          ${name === "colour" && html`<${Swatch} colour=${text} />`}
          <input onKeyDown=${leave} ...${given} list=${name === "colour" ? "colours" : null}
            inputmode=${name === "duration_s" ? "decimal" : null} autocomplete="off" /></span>`}
      <p id=${`${id}-hint`} class=${`hint-of small ${isWrong ? "bad" : "quiet"}`}>${isWrong ? problem : hint}</p>
      ${draft !== undefined && clashes(marker, name, draft) && html`
        <${Clash} name=${name} marker=${marker} drafts=${drafts} />`}
    </div>`;
}

function Clash({ name, marker, drafts }) {
  const theirs = textOf(marker, name);
  const settle = (isMine) => {
    drafts.settle(marker.id, name, isMine);
    drafts.keep(marker.id);
  };
  return html`
    <div class="notice clash" role="alert">
      <p>Somebody changed this meanwhile. It is now: <q>${theirs || "nothing"}</q>
        Yours is kept above until you choose.</p>
      <div class="acts">
        <button type="button" onClick=${() => settle(true)}>Keep mine</button>
        <button type="button" onClick=${() => settle(false)}>Take theirs</button>
      </div>
    </div>`;
}

/** The fields `names` of a marker. Give it the marker's id as `key`, so that each has a form of its own. */
export function Fields({ names, marker, drafts }) {
  useStore(drafts);
  const later = useMemo(() => debounced(() => drafts.keep(marker.id), TYPED_MS), [drafts]);
  // Also what could not be saved before.
  const save = () => later.now() ?? drafts.keep(marker.id);
  // Whoever goes on to another marker has typed enough of this one.
  useEffect(() => async () => {
    if ((await save()) || drafts.find(marker.id) === undefined) return;
    complain(new Refused(412, `${marker.name} is not saved; what you typed is kept in its form.`));
  }, [later]);
  const { fields = {}, isSaved = false } = drafts.get()[marker.id] ?? {};
  const isOpen = Object.keys(fields).length > 0;
  return html`
    <div class="fields">
      ${names.map((name) => html`
        <${Field} key=${name} name=${name} marker=${marker} drafts=${drafts} later=${later} save=${save} />`)}
      <datalist id="colours">
        ${Object.keys(COLOURS).map((name) => html`<option key=${name} value=${name} />`)}
      </datalist>
      <p role="status" class="small quiet saved">${isOpen ? "Not saved yet" : isSaved ? "Saved" : ""}</p>
    </div>`;
}

/** Save what could not be saved before, as soon as a person is back, or the daemon is. */
export function useKept(drafts) {
  useEffect(() => {
    const keep = () => drafts.openIds().forEach((id) => drafts.keep(id));
    keep();
    return onEvent(({ kind }) => kind === "reload" && keep());
  }, [drafts]);
}

/** A spot of a marker's colour. */
export function Swatch({ colour }) {
  const style = { backgroundColor: swatchOf(colour) ?? "transparent" };
  return html`<span class="swatch" title=${colour || "no colour"} style=${style}></span>`;
}

/** The same fields where nothing may be changed. */
export function Words({ names, marker }) {
  return html`
    <dl class="words">${names.map((name) => html`
      <div key=${name}><dt class="quiet small">${FIELDS[name].label}</dt>
        <dd>${textOf(marker, name) || "–"}</dd></div>`)}</dl>`;
}
