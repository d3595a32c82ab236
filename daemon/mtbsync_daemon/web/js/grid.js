/** A table of which only the rows in view exist, so that ten thousand scroll like ten. */

import { html, useLayoutEffect, useRef, useState } from "./lib.js";

/** Rows beyond either edge, so that none is missing while it scrolls. */
const MARGIN = 6;
/** How many rows on each key goes. */
const ROWS_ON = { ArrowUp: -1, ArrowDown: 1, PageUp: -8, PageDown: 8, Home: -Infinity, End: Infinity };

/**
 * `columns` are {key, title, cell(row)}; `rows` have an `id`. `selected` is the id of one, and `current` the index
 * of that which the playhead is in (-1: none); either is scrolled into view once it changes. `rowClass(row)` styles
 * one, `onChoose(id)` is called where a person chooses it. `label` names the table, `empty` is said in place of rows.
 */
export function Grid({ label, columns, rows, selected, current = -1, rowClass = () => "", onChoose, empty }) {
  const scroller = useRef();
  const [seen, see] = useState({ top: 0, height: 600, row: 40 });
  const look = () => {
    // Scrolling is told a moment later, when all may be gone.
    if (scroller.current === null) return;
    const { scrollTop, clientHeight } = scroller.current;
    const row = parseFloat(getComputedStyle(scroller.current).getPropertyValue("--row"));
    const now = { top: scrollTop, height: clientHeight, row };
    see((before) => (Object.keys(now).every((key) => now[key] === before[key]) ? before : now));
  };
  useLayoutEffect(() => {
    const sizes = new ResizeObserver(look);
    sizes.observe(scroller.current);
    look();
    return () => sizes.disconnect();
  }, []);

  const chosen = rows.findIndex((row) => row.id === selected);
  const show = (index) => {
    if (index < 0) return;
    const box = scroller.current;
    const head = box.querySelector(".head").offsetHeight;
    const [top, bottom] = [index * seen.row, (index + 1) * seen.row];
    const height = box.clientHeight - head;
    if (top < box.scrollTop) box.scrollTop = top - seen.row;
    else if (bottom > box.scrollTop + height) box.scrollTop = bottom - height + seen.row;
  };
  useLayoutEffect(() => show(chosen), [selected, chosen]);
  useLayoutEffect(() => show(current), [current]);

  const onKeyDown = (event) => {
    const isMine = event.key in ROWS_ON && !event.ctrlKey && !event.altKey && !event.metaKey;
    if (!isMine || rows.length === 0) return;
    event.preventDefault();
    event.stopPropagation();
    const next = Math.min(Math.max((chosen < 0 ? current : chosen) + ROWS_ON[event.key], 0), rows.length - 1);
    onChoose(rows[next].id);
  };

  const first = Math.max(Math.floor(seen.top / seen.row) - MARGIN, 0);
  const behind = Math.min(Math.ceil((seen.top + seen.height) / seen.row) + MARGIN, rows.length);
  const isThere = first <= chosen && chosen < behind;
  return html`
    <div class="grid" role="grid" tabindex="0" aria-label=${label} aria-rowcount=${rows.length + 1}
        aria-colcount=${columns.length} aria-activedescendant=${isThere ? `row-${selected}` : null} ref=${scroller}
        onScroll=${look} onKeyDown=${onKeyDown}>
      <div role="rowgroup" class="head"><div role="row" aria-rowindex="1" class="cells">
        ${columns.map(({ key, title }, k) => html`
          <div key=${key} role="columnheader" aria-colindex=${k + 1} class=${key}>${title}</div>`)}
      </div></div>
      <div role="rowgroup" class="body" style=${{ height: `${rows.length * seen.row}px` }}>
        ${rows.slice(first, behind).map((row, k) => html`
          <div key=${row.id} id=${`row-${row.id}`} role="row"
              aria-rowindex=${first + k + 2} aria-selected=${row.id === selected}
              class=${`cells ${rowClass(row)} ${first + k === current ? "current" : ""}`}
              style=${{ transform: `translateY(${(first + k) * seen.row}px)` }} onClick=${() => onChoose(row.id)}>
            ${columns.map(({ key, cell }, n) => html`
              <div key=${key} role="gridcell" aria-colindex=${n + 1} class=${key}>${cell(row)}</div>`)}
          </div>`)}
      </div>
      ${rows.length === 0 && html`<p class="quiet empty">${empty}</p>`}
    </div>`;
}
