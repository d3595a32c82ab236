/** How a run lies on its trail, in words, and what a person has to say to that. */

import { ask, complain, part, say } from "./api.js";
import { trails } from "./desk_store.js";
import { html, useEffect, useState, useStore } from "./lib.js";

const WORDS = {
  accept: ["good", "Lined up"],
  review: ["doubt", "Lined up, waits for your review"],
  reject: ["bad", "Fits no trail for certain"],
};

/** The class and the words for what became of a recording's sync. */
export function verdictOf(sync) {
  if (!sync) return ["quiet", "Not compared with any trail yet"];
  if (sync.state === "cancelled") return ["quiet", sync.error];
  if (sync.state === "failed") return ["bad", "Could not be lined up"];
  if (sync.state !== "done") return ["quiet", sync.state === "running" ? "Being lined up" : "Waits its turn"];
  if (sync.accepted && sync.verdict !== "accept") return ["good", "Lined up, trusted by you"];
  return WORDS[sync.verdict];
}

/** A choice of trails and a button that has the run lined up with the chosen one. */
export function LineUp({ recording, onDone = () => {} }) {
  const [known, setKnown] = useState([]);
  const [chosen, choose] = useState("");
  useEffect(() => { trails().then(setKnown, complain); }, []);
  const lineUp = () => ask("/syncs", { method: "POST", body: { recording: recording.id, ...(chosen && { trail: chosen }) } })
    .then(() => { say(`${recording.name} is lined up now.`); onDone(); }, complain);
  if (known.length === 0) return html`<p class="quiet small">There is no trail yet that it could be lined up with.</p>`;
  return html`
    <span class="acts">
      <label>Line it up with <select value=${chosen} onChange=${(event) => choose(event.currentTarget.value)}>
        <option value="">whichever fits</option>
        ${known.map((trail) => html`<option key=${trail.id} value=${trail.id}>${trail.name}</option>`)}
      </select></label>
      <button type="button" onClick=${lineUp}>Line it up</button>
    </span>`;
}

/** What became of the open run's sync, with what can be done about it. */
export function Verdict({ run }) {
  const { recording, sync, isReadOnly, mapDoc } = useStore(run.store);
  const [kind, words] = verdictOf(sync);
  const isOpen = sync?.state === "done" && !sync.accepted;
  const needsAct = !isReadOnly && !recording.is_reference && (!sync || ["done", "cancelled", "failed"].includes(sync.state)) && !sync?.accepted;
  return html`
    <section class="verdict" aria-label="How this run lies on its trail">
      <p><strong class=${kind}>${words}</strong>
        ${sync?.state === "running" && html` <progress value=${sync.progress} aria-label="Lining up"></progress> <span class="quiet">${sync.stage}</span>`}</p>
      ${sync?.error && sync.state === "failed" && html`<p>${sync.error}</p>`}
      ${sync?.state === "done" && sync.reasons.map((reason) => html`<p key=${reason} class="small">${reason}</p>`)}
      ${mapDoc?.problem && html`<p class="bad" role="alert">The map could not be fitted again: ${mapDoc.problem}</p>`}
      ${needsAct && html`
        <div class="acts">
          ${isOpen && sync.verdict === "review" && html`<button type="button" class="main" onClick=${() => run.accept().catch(complain)}>Trust it</button>`}
          <${LineUp} recording=${recording} onDone=${() => run.reload().catch(complain)} />
          ${isOpen && html`<button type="button" onClick=${() => run.dismiss().catch(complain)}>Not a ride of a trail</button>`}
        </div>`}
    </section>`;
}
