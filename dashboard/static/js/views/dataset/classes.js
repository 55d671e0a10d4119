/** How many images there are of each class, as bars and as a table. */

import { h } from '../../core/dom.js';
import { number, percent, t } from '../../core/i18n.js';
import { section } from '../../parts/bits.js';
import { balance, ofClass } from '../datasets/counts.js';
import { imbalanceSaid } from '../datasets/saying.js';

const SPLITS = ['train', 'test'];

/**
 * Return the part about classes.
 *
 * @param {Object<string, Object<string, number>>} classes Images by class and split.
 */
export function classesPart(classes) {
  const names = Object.keys(classes).sort((a, b) => ofClass(classes[b]) - ofClass(classes[a]) || a.localeCompare(b));
  const { rare } = balance(classes);
  const most = ofClass(classes[names[0]]);
  const all = names.reduce((sum, name) => sum + ofClass(classes[name]), 0);
  return section(
    t('datasets.classes'),
    h('p', null, imbalanceSaid(classes)),
    h(
      'div',
      { class: 'table-box', tabindex: 0, role: 'region', 'aria-label': t('datasets.classes_caption') },
      h(
        'table',
        { class: 'table class-table' },
        h('caption', { class: 'visually-hidden' }, t('datasets.classes_caption')),
        h(
          'thead',
          null,
          h('tr', null, h('th', { scope: 'col' }, t('datasets.class')), SPLITS.map((split) => h('th', { scope: 'col', class: 'num' }, t(`datasets.${split}`))), h('th', { scope: 'col', class: 'num' }, t('datasets.sum')), h('td', { class: 'class-bar-cell' })),
        ),
        h('tbody', null, names.map((name) => row(name, classes[name], { isRare: name === rare, most, all }))),
        h(
          'tfoot',
          null,
          h('tr', null, h('th', { scope: 'row' }, t('datasets.sum')), SPLITS.map((split) => h('td', { class: 'num' }, number(names.reduce((sum, name) => sum + (classes[name][split] ?? 0), 0)))), h('td', { class: 'num' }, number(all)), h('td')),
        ),
      ),
    ),
    h('ul', { class: 'key small' }, SPLITS.map((split) => h('li', null, h('span', { class: `key-box part-${split}`, 'aria-hidden': 'true' }), t(`datasets.${split}_means`)))),
  );
}

function row(name, splits, { isRare, most, all }) {
  return h(
    'tr',
    { class: isRare && 'is-rare' },
    h('th', { scope: 'row' }, name, isRare && h('span', { class: 'badge badge-warn' }, h('span', { 'aria-hidden': 'true', class: 'badge-mark' }, '◆'), t('datasets.rare'))),
    SPLITS.map((split) => h('td', { class: 'num' }, number(splits[split] ?? 0))),
    h('td', { class: 'num' }, `${number(ofClass(splits))} (${percent(ofClass(splits) / all)})`),
    // The numbers beside it say the same.
    h(
      'td',
      { class: 'class-bar-cell', 'aria-hidden': 'true' },
      h('div', { class: 'class-bar' }, SPLITS.map((split) => h('span', { class: `part-${split}`, style: { 'inline-size': `${((splits[split] ?? 0) / most) * 100}%` } }))),
    ),
  );
}
