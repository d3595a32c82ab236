/** The watched folders, and choosing one more on this computer's disks. */

import { ask, complain, say } from "./api.js";
import { Folders, useDisk } from "./disk.js";
import { count } from "./format.js";
import { html, useEffect, useOnce, useRef, useState, useStore } from "./lib.js";
import { TrailOptions } from "./runs_card.js";

// Stands for a trail's name where the trail is found.
const FIND = "find";

function inWords({ path, n_videos, folders, n_more }) {
  if (path === null) return "Choose where your footage lies.";
  const videos = n_videos ? `${count(n_videos, "video")} right here` : "No videos right here";
  const more = folders.length + n_more;
  return `${videos}, ${more ? count(more, "folder") : "no folders"}.`;
}

/** A dialog in which a person chooses a folder and the trail that its runs are on. */
export function AddFolder({ library, onClose }) {
  const trails = useStore(library.store, (state) => state.trails);
  const { disk, typed, type, problem, tell, isComing, go } = useDisk(({ path }) => path ?? "");
  const [trail, choose] = useState("");
  const [dialog, list] = [useRef(), useRef()];
  useEffect(() => dialog.current.showModal(), []);
  // The button that was pressed is gone; who is typing goes on.
  useEffect(() => {
    if (!dialog.current.contains(document.activeElement)) list.current?.focus();
  }, [disk]);
  const wanted = () => ({ path: disk.path, trail: trails.get(trail)?.name ?? FIND });
  const watch = useOnce(() => library.changeFolders("", wanted()).then(() => {
    say(`${disk.path} is watched from now on. What lies in it turns up here as it is looked at.`);
    dialog.current?.close();
  }, (error) => tell(error.message)));
  return html`
    <dialog ref=${dialog} class="folders" aria-labelledby="folders-title" onClose=${onClose}>
      <h2 id="folders-title">Add a folder</h2>
      <p class="quiet">mtbsync watches it, with all below it. Rides that lie there, or land there later, are used where
        they are: nothing is copied, moved or changed.</p>
      <form class="acts folders-typed" onSubmit=${(event) => { event.preventDefault(); go(typed); }}>
        <label for="folders-path">Folder</label>
        <input id="folders-path" value=${typed} spellcheck="false" autocomplete="off"
          onInput=${(event) => type(event.target.value)} />
        <button>Go there</button></form>
      ${disk && html`
        <${Folders} disk=${disk} go=${go} list=${list} />
        <p class="small quiet" role="status">${inWords(disk)}</p>`}
      <p role="alert" class="bad">${problem}</p>
      <label class="folders-trail">Runs there are on${" "}
        <select value=${trail} onChange=${(event) => choose(event.target.value)}>
          <option value="">whichever trail fits</option><${TrailOptions} trails=${trails} /></select></label>
      <p class="acts">
        <button type="button" class="main" disabled=${!disk?.path || isComing}
          onClick=${watch}>Watch this folder</button>
        <button type="button" onClick=${() => dialog.current.close()}>Cancel</button></p>
    </dialog>`;
}

function Folder({ folder: { path, trail, problem }, library, isReadOnly }) {
  const stop = useOnce(() => library.changeFolders("/forget", { path })
    .then(() => say(`${path} is watched no more. Its runs stay here.`), complain));
  return html`
    <li><div><code>${path}</code>
        <span class="quiet small">${trail === FIND ? " the trail is found" : ` on ${trail}`}</span>
        ${problem && html`<p class="bad small">${problem}</p>`}</div>
      ${!isReadOnly && html`<button type="button" aria-label=${`Stop watching ${path}`}
        onClick=${stop}>Stop watching</button>`}</li>`;
}

/** The folders that are watched, and what is wrong with them. */
export function Watched({ library, isReadOnly }) {
  const folders = useStore(library.store, (state) => state.folders);
  if (!folders?.length) return null;
  const look = () => ask("/folders/look", { method: "POST" })
    .then(() => say("The folders are being looked at."), complain);
  return html`
    <details class="section">
      <summary><h2>Watched folders</h2> <span class="quiet">${folders.length}</span></summary>
      <ul class="watched">${folders.map((folder) => html`
        <${Folder} key=${folder.path} folder=${folder} library=${library} isReadOnly=${isReadOnly} />`)}</ul>
      ${!isReadOnly && html`<p class="acts"><button type="button" onClick=${look}>Look into them now</button></p>`}
    </details>`;
}
