/** Tabs (ARIA Authoring Practices, "Tabs with automatic activation"). */

import { fill, h, uid } from '../core/dom.js';
import { here, setQuery } from '../core/router.js';

/**
 * @param {string} label Of all tabs together, read out.
 * @param {Array<{id: string, label: string, make: function(): Node}>} items `make` is called when
 *   a tab is shown for the first time.
 * @param {{query?: string}} [options] The name in the address that keeps which one is shown.
 * @returns {{node: HTMLElement, show: function(string): void}}
 */
export function tabs(label, items, { query = 'tab' } = {}) {
  const base = uid('tabs');
  const made = new Map();
  const panel = h('div', { role: 'tabpanel', id: `${base}-panel`, tabindex: 0, class: 'tab-panel' });
  const buttons = items.map((item) =>
    h(
      'button',
      {
        type: 'button', role: 'tab', id: `${base}-${item.id}`, class: 'tab',
        'aria-controls': panel.id,
        on: { click: () => show(item.id) },
      },
      item.label,
    ),
  );
  const list = h('div', { role: 'tablist', 'aria-label': label, class: 'tab-list' }, buttons);
  list.addEventListener('keydown', (event) => {
    const at = buttons.indexOf(document.activeElement);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (next === undefined || at === -1) return;
    event.preventDefault();
    const i = (next + items.length) % items.length;
    buttons[i].focus();
    show(items[i].id);
  });

  function show(id, { keep = true } = {}) {
    const item = items.find((one) => one.id === id) ?? items[0];
    items.forEach((one, i) => {
      const isShown = one === item;
      buttons[i].setAttribute('aria-selected', isShown);
      buttons[i].tabIndex = isShown ? 0 : -1;
    });
    panel.setAttribute('aria-labelledby', `${base}-${item.id}`);
    if (!made.has(item.id)) made.set(item.id, item.make());
    fill(panel, made.get(item.id));
    if (keep) setQuery({ [query]: item === items[0] ? null : item.id });
  }
  show(here().query.get(query), { keep: false });
  return { node: h('div', { class: 'tabs' }, list, panel), show };
}
