/** What goes out of a session: a timeline for each editor, with what it would lose said first. */

import { ask, complain, part } from "./api.js";
import { html, useEffect, useState, useStore } from "./lib.js";

function Offer({ id, offer: { format, description, losses, problem } }) {
  return html`
    <li class="offer">
      <div class="about">
        <p class="name">${description[0].toUpperCase() + description.slice(1)} <code class="quiet">${format}</code></p>
        ${problem ? html`<p class="small bad">Cannot be written: ${problem}</p>`
          : losses.length === 0 ? html`<p class="small good">Carries everything.</p>`
            : html`<ul class="losses small quiet" aria-label="Not carried">
              ${losses.map((loss) => html`<li key=${loss}>${loss}</li>`)}</ul>`}
      </div>
      ${!problem && html`<p class="act"><a class="button" download aria-label=${`Download ${format}`}
        href=${`/api/v1/sessions/${part(id)}/exports/${part(format)}`}>Download</a></p>`}
    </li>`;
}

function Offers({ open }) {
  const { session } = useStore(open.store);
  const [{ notes, offers, problem }, set] = useState({ notes: [], offers: null, problem: "" });
  useEffect(() => {
    let isThere = true;
    const refused = (error) => {
      if (error.status !== 409) complain(error);
      return { notes: [], offers: null, problem: error.message };
    };
    ask(`/sessions/${part(open.id)}/offers`).then((found) => ({ ...found, problem: "" }), refused)
      .then((told) => isThere && set(told));
    return () => { isThere = false; };
  }, [session]);
  if (problem) return html`<p class="quiet">${problem}</p>`;
  if (offers === null) return html`<p class="quiet" role="status">Looking at what each format carries …</p>`;
  return html`
    ${notes.map((note) => html`<p class="notice" role="note" key=${note}>${note}</p>`)}
    <ul class="offers">${offers.map((offer) => html`
      <${Offer} key=${offer.format} id=${open.id} offer=${offer} />`)}</ul>`;
}

/** The files; nothing is asked for before a person opens it. */
export function SessionOut({ open }) {
  const [isShown, show] = useState(false);
  return html`
    <details class="section out" id="out" onToggle=${(event) => show(event.currentTarget.open)}>
      <summary><h2>Files out</h2>${" "}
        <span class="quiet small">the cameras in sync, as a timeline for your editor</span></summary>
      ${isShown && html`<${Offers} open=${open} />`}
    </details>`;
}
