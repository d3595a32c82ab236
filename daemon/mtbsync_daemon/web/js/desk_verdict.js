/** How a run lies on its trail, in words, and what a person has to say to that. */

import { all, ask, complain, part, say } from "./api.js";
import { html, useEffect, useOnce, useState, useStore } from "./lib.js";

const WORDS = {
  accept: ["good", "Lined up"],
  review: ["doubt", "Lined up, but not for certain"],
  reject: ["bad", "Fits no trail for certain"],
};
const UNDER_WAY = { queued: "Waits its turn", running: "Is being lined up" };
const ASKED = { queued: "waits its turn to be lined up", running: "is being lined up" };

/** The class and the words for what became of a recording's sync. */
export function verdictOf(sync) {
  if (!sync) return ["quiet", "Not compared with any trail yet"];
  if (sync.state === "cancelled") return ["quiet", sync.error ?? "Stopped"];
  if (sync.state === "failed") return ["bad", "Could not be lined up"];
  if (sync.state !== "done") return ["quiet", UNDER_WAY[sync.state]];
  if (sync.accepted && sync.verdict !== "accept") return ["good", "Lined up, trusted by you"];
  return WORDS[sync.verdict];
}

/** Have a recording lined up with a trail or, without one, with whichever fits. */
export async function lineUp({ id, name }, trail) {
  const { state } = await ask("/syncs", { method: "POST", body: { recording: id, trail: trail?.id ?? null } });
  const what = `with ${trail?.name ?? "whichever trail fits"}`;
  if (state in ASKED) say(`${name} ${ASKED[state]} ${what}.`);
  else say(`${name} has been compared ${what} before, and that counts now.`);
}

/** A person's word on a recording's sync as it is on show: {accepted: true}, or {dismissed: true}. */
export async function decide({ name }, sync, word) {
  const path = `/syncs/${part(sync.id)}`;
  const now = await ask(path);
  if (now.version !== sync.version || now.ended_at !== sync.ended_at) {
    say(`${name} has changed meanwhile; look at it again.`);
    return;
  }
  // What waits for its turn has no ETag yet.
  await ask(path, { method: "PATCH", body: word, etag: now.etag ?? "*" });
  say(word.accepted ? `${name} is trusted; its markers are written for your editor.` : `${name} waits no more.`);
}

/** A choice of trails and a button that has the run lined up with the chosen one. */
function LineUp({ recording, act }) {
  const [trails, setTrails] = useState([]);
  const [chosen, choose] = useState("");
  useEffect(() => { all("/trails", "trails").then(setTrails, complain); }, []);
  const go = () => act(() => lineUp(recording, trails.find(({ id }) => id === chosen)));
  if (trails.length === 0) {
    return html`<p class="quiet small">There is no trail yet that it could be lined up with.</p>`;
  }
  return html`
    <span class="acts">
      <label>Line it up with <select value=${chosen} onChange=${(event) => choose(event.currentTarget.value)}>
        <option value="">whichever trail fits</option>
        ${trails.map(({ id, name }) => html`<option key=${id} value=${id}>${name}</option>`)}
      </select></label>
      <button type="button" onClick=${go}>Line it up</button>
    </span>`;
}

/** What became of the open run's sync, with what can be done about it. */
export function Verdict({ run }) {
  const { recording, sync, isReadOnly, mapDoc } = useStore(run.store);
  const [kind, words] = verdictOf(sync);
  const isOpen = sync?.state === "done" && !sync.accepted;
  const isIdle = !sync || ["done", "cancelled", "failed"].includes(sync.state);
  const needsAct = !isReadOnly && !recording.is_reference && isIdle && !sync?.accepted;
  const act = useOnce((work) => work().then(() => run.reload()).catch(complain));
  const judge = (word) => act(() => decide(recording, sync, word));
  return html`
    <section class="verdict" aria-label="How this run lies on its trail">
      <p><strong class=${kind}>${words}</strong>
        ${sync?.state === "running" && html` <progress value=${sync.progress} aria-label="Lining up"></progress>
          ${" "}<span class="quiet">${sync.stage}</span>`}</p>
      ${sync?.error && sync.state === "failed" && html`<p>${sync.error}</p>`}
      ${sync?.state === "done" && sync.reasons.map((reason) => html`<p key=${reason} class="small">${reason}</p>`)}
      ${mapDoc?.problem && html`<p class="bad" role="alert">The map could not be fitted again: ${mapDoc.problem}</p>`}
      ${needsAct && html`
        <div class="acts">
          ${isOpen && sync.verdict === "review" && html`<button type="button" class="main"
            onClick=${() => judge({ accepted: true })}>Trust it</button>`}
          <${LineUp} recording=${recording} act=${act} />
          ${isOpen && html`<button type="button"
            onClick=${() => judge({ dismissed: true })}>Not a ride of a trail</button>`}
        </div>`}
    </section>`;
}
