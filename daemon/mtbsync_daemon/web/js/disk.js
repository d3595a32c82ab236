/** Choosing a place on this computer's disks. */

import { ask, part } from "./api.js";
import { html, useEffect, useRef, useState } from "./lib.js";

/**
 * The folder that is shown (`disk`, null before the first), the path in a field beside it (`typed`), what stands in the
 * way (`problem`), whether another folder `isComing`, and `go(path)`, where "" is the computer itself. `typedOf(disk)`
 * is what the field says on arrival.
 */
export function useDisk(typedOf) {
  const [disk, show] = useState(null);
  const [typed, type] = useState("");
  const [problem, tell] = useState("");
  const [isComing, come] = useState(false);
  const newest = useRef(0);
  const go = async (path) => {
    const mine = ++newest.current;
    come(true);
    const found = await ask(path ? `/disk?path=${part(path)}` : "/disk").catch((error) => ({ refused: error.message }));
    if (mine !== newest.current) return;
    come(false);
    tell(found.refused ?? "");
    if (found.refused) return;
    show(found);
    // What a person typed while the answer was on its way stays.
    type((now) => (now === typed ? typedOf(found) : now));
  };
  useEffect(() => { go(""); }, []);
  return { disk, typed, type, problem, tell, isComing, go };
}

/** The folders of `disk`, and the one above it, to go to. */
export function Folders({ disk, go, list = null }) {
  return html`
    <div class="folders-list" ref=${list} tabindex="-1" role="group"
      aria-label=${`Folders in ${disk.path ?? "this computer"}`}>
      ${disk.path !== null && html`<button type="button" class="plain" onClick=${() => go(disk.parent ?? "")}>
        ${disk.parent === null ? "↑ This computer" : "↑ The folder above"}</button>`}
      ${disk.folders.map(({ name, path, problem }) => html`
        <button type="button" class="plain" key=${path} title=${path} disabled=${Boolean(problem)}
          onClick=${() => go(path)}>
          ${disk.path === null ? path : name} ${problem && html`<span class="small">${problem}</span>`}</button>`)}
      ${disk.n_more > 0 && html`<p class="quiet small">${disk.n_more} more are not listed; type the path.</p>`}
    </div>`;
}
