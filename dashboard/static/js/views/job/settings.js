/** What a job was asked for, with everything filled in: what was chosen by hand is marked. */

import { h } from '../../core/dom.js';
import { number, t } from '../../core/i18n.js';
import { section } from '../../parts/bits.js';
import { copyButton } from '../../parts/copy.js';

const isPlain = (value) => value === null || typeof value !== 'object';

/** Return a job's settings; they never change. */
export function settings(job) {
  return section(
    t('job.settings'),
    h('p', { class: 'muted' }, t('job.settings_lead')),
    h('div', { class: 'actions' }, copyButton(t('job.copy_asked'), () => json(job.requested)), copyButton(t('job.copy_spec'), () => json(job.spec))),
    tree(job.spec, job.requested ?? {}),
  );
}

const json = (value) => JSON.stringify(value, null, 2);

function tree(value, asked) {
  return h(
    'dl',
    { class: 'tree' },
    Object.entries(value).map(([name, inner]) => entry(name, inner, asked?.[name])),
  );
}

function entry(name, value, asked) {
  const isByHand = asked !== undefined;
  const mark = isByHand && h('span', { class: 'by-hand' }, t('job.by_hand'));
  return h(
    'div',
    { class: isByHand && 'is-by-hand' },
    h('dt', null, h('code', null, name), mark),
    h('dd', null, shown(value, asked)),
  );
}

function shown(value, asked) {
  if (isPlain(value)) return plain(value);
  if (!Array.isArray(value)) return Object.keys(value).length ? tree(value, asked) : plain(null);
  if (value.every(isPlain)) return value.length ? value.map(plain).flatMap((one, i) => (i ? [', ', one] : [one])) : plain(null);
  if (value.length > 1 && value.every(isFlat)) return rows(value);
  return h('ol', { class: 'tree-list' }, value.map((one, i) => h('li', null, isPlain(one) ? plain(one) : tree(one, asked?.[i]))));
}

const isFlat = (value) => !isPlain(value) && !Array.isArray(value) && Object.values(value).every(isPlain);

function rows(items) {
  const names = [...new Set(items.flatMap(Object.keys))];
  return h(
    'table',
    { class: 'tree-table' },
    h('thead', null, h('tr', null, names.map((name) => h('th', { scope: 'col' }, h('code', null, name))))),
    h('tbody', null, items.map((item) => h('tr', null, names.map((name) => h('td', null, plain(item[name] ?? null)))))),
  );
}

function plain(value) {
  if (value === null || value === '') return h('span', { class: 'muted' }, t('job.none'));
  if (typeof value === 'boolean') return t(value ? 'job.yes' : 'job.no');
  return typeof value === 'number' ? number(value, 8) : String(value);
}
