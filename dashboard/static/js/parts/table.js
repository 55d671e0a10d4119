/**
 * A table that stays smooth with thousands of rows: only those in sight are in the page. What is
 * above and below is held open by two empty rows, so that the browser's own scrolling, and a screen
 * reader's count of rows (`aria-rowcount`), are right.
 */

import { fill, h } from '../core/dom.js';
import { t } from '../core/i18n.js';

const AHEAD = 12;
/** Up to this many all rows are in the page: nothing is gained by leaving some out. */
const FEW = 80;

/**
 * @param {{label: string, columns: Array<{id: string, label: string, cell: function(any): any,
 *   sort?: function(any): (number|string), number?: boolean, wide?: boolean, class?: string}>, key: function(any): string,
 *   rowHeight?: number, selectable?: boolean, onSelect?: function(Set<string>): void,
 *   empty?: any, onEnd?: function(): void}} options `cell` makes what a row shows in a column; `sort` gives what it is sorted
 *   by. `selectable` adds boxes to tick, whose keys `onSelect` is given. `onEnd` is called whenever the
 *   last rows of a long table come into sight: more can be fetched then.
 * @returns {{node: HTMLElement, set: function(Array<any>): void, selected: Set<string>}}
 */
export function table({ label, columns, key, rowHeight = 45, selectable = false, onSelect, empty, onEnd }) {
  let rows = [];
  let order = null; // {id, up}
  let sorted = [];
  const selected = new Set();
  const body = h('tbody');
  const head = h('tr');
  const node = h('table', { class: 'table', 'aria-label': label }, h('thead', null, head), body);
  const box = h('div', { class: 'table-box', tabindex: 0, role: 'region', 'aria-label': label }, node);
  const nothing = h('div', { class: 'empty', hidden: true }, empty ?? t('app.nothing_yet'));
  const made = new Map(); // key → {row, tr}
  let from = -1;
  let to = -1;

  for (const column of columns) {
    const th = h('th', { scope: 'col', class: [column.number && 'num', column.wide && 'wide', column.class] });
    if (column.sort)
      th.append(h('button', { type: 'button', class: 'sort', on: { click: () => sortBy(column) } }, column.label));
    else th.append(column.label);
    column.th = th;
    head.append(th);
  }
  if (selectable) head.prepend(h('th', { scope: 'col', class: 'tick' }, h('span', { class: 'visually-hidden' }, t('app.select'))));

  function sortBy(column) {
    order = { id: column.id, up: order?.id === column.id ? !order.up : true };
    for (const one of columns)
      if (one.sort) one.th.setAttribute('aria-sort', one === column ? (order.up ? 'ascending' : 'descending') : 'none');
    arrange();
  }

  function arrange() {
    const column = order && columns.find((one) => one.id === order.id);
    sorted = [...rows];
    if (column) {
      const factor = order.up ? 1 : -1;
      sorted.sort((a, b) => {
        const [x, y] = [column.sort(a), column.sort(b)];
        return factor * (typeof x === 'string' ? x.localeCompare(y) : x - y);
      });
    }
    from = to = -1;
    draw();
  }

  function rowOf(row, index) {
    const id = key(row);
    const known = made.get(id);
    if (known?.row === row) {
      known.tr.setAttribute('aria-rowindex', index + 2);
      return known.tr;
    }
    const tr = h('tr', { 'aria-rowindex': index + 2 }, selectable && h('td', { class: 'tick' }, tick(row)));
    for (const column of columns) tr.append(h('td', { class: [column.number && 'num', column.wide && 'wide', column.class] }, column.cell(row)));
    made.set(id, { row, tr });
    return tr;
  }

  function tick(row) {
    const id = key(row);
    const input = h('input', { type: 'checkbox', 'aria-label': t('app.select_row', { name: row.name || id }), props: { checked: selected.has(id) } });
    input.addEventListener('change', () => {
      if (input.checked) selected.add(id);
      else selected.delete(id);
      onSelect?.(selected);
    });
    return input;
  }

  function draw() {
    const isLong = sorted.length > FEW;
    box.classList.toggle('table-long', isLong);
    const first = isLong ? Math.max(0, Math.floor(box.scrollTop / rowHeight) - AHEAD) : 0;
    const last = isLong ? Math.min(sorted.length, Math.ceil((box.scrollTop + (box.clientHeight || 600)) / rowHeight) + AHEAD) : sorted.length;
    if (isLong && box.scrollTop > 0 && last === sorted.length) onEnd?.();
    if (first === from && last === to) return;
    [from, to] = [first, last];
    const focused = body.contains(document.activeElement) ? document.activeElement : null;
    fill(
      body,
      first > 0 && spacer(first),
      sorted.slice(first, last).map((row, i) => rowOf(row, first + i)),
      last < sorted.length && spacer(sorted.length - last),
    );
    // Rows are taken out and put back: what had the focus must keep it.
    if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
    node.setAttribute('aria-rowcount', sorted.length + 1);
    nothing.hidden = sorted.length > 0;
    node.hidden = sorted.length === 0;
  }

  const spacer = (count) => {
    const td = h('td', { colspan: columns.length + (selectable ? 1 : 0) });
    td.style.setProperty('block-size', `${count * rowHeight}px`);
    return h('tr', { class: 'spacer', 'aria-hidden': 'true' }, td);
  };

  let due = false;
  box.addEventListener('scroll', () => {
    if (due) return;
    due = true;
    requestAnimationFrame(() => ((due = false), draw()));
  }, { passive: true });
  new ResizeObserver(() => draw()).observe(box);

  return {
    node: h('div', { class: 'table-outer' }, box, nothing),
    selected,
    /** Show these rows. One that is the same object as before is not made anew. */
    set(next) {
      rows = next;
      const known = new Set(rows.map(key));
      for (const id of made.keys()) if (!known.has(id)) made.delete(id);
      arrange();
    },
  };
}
