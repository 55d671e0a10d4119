/** What the synthetic images tell of the patients whose images the GAN learned from. */

import { h } from '../../core/dom.js';
import { fixed, number, percent, t } from '../../core/i18n.js';
import { section } from '../../parts/bits.js';
import { intervalPicture } from '../../parts/interval.js';
import { table } from '../../parts/table.js';
import { between, explained, setName, tableName, withInterval } from './names.js';
import { privacyOf } from './sets.js';

const NOT_SHOWN = ['attacks', 'models', 'patients', 'law'];
const two = (value) => fixed(value, 2);

/**
 * Show what was tried and found, and what that does not promise.
 *
 * @param {object} results
 * @param {object|null} job Says whether near-copies were left out.
 */
export function privacy(results, job) {
  const sets = privacyOf(results);
  const limits = section(t('results.privacy_not'), h('ul', null, NOT_SHOWN.map((name) => h('li', null, t(`results.privacy_not:${name}`)))));
  if (!sets.length) return [section(t('results.privacy'), h('div', { class: 'box box-warn' }, h('p', null, t('results.privacy_missing')))), limits];
  const isScreened = Boolean(job?.spec.screen?.near_copies);
  return [
    section(
      t('results.privacy'),
      h('p', { class: 'muted' }, t('results.privacy_lead')),
      sets.map((set) => h('div', { class: 'stack' }, h('h3', null, setName(set)), h('ul', { class: 'said' }, sentences(set, isScreened)))),
      sets.every((set) => !set.bounds.length) && h('p', null, t('results.privacy_no_epsilon')),
      explained(h('p', null, t('results.privacy_meaning_distance')), h('p', null, t('results.privacy_meaning_attack')), h('p', null, t('results.privacy_meaning_epsilon'))),
    ),
    section(t('results.privacy_table'), figures(sets), h('p', { class: 'muted small' }, t('results.privacy_note', { others: [...new Set(sets.flatMap((set) => set.others))].map((one) => t(`results.others:${one}`)).join(', ') }))),
    limits,
  ];
}

function sentences(set, isScreened) {
  const said = (isBad, ...children) => h('li', { class: isBad ? 'said-bad' : 'said-plain' }, h('span', { 'aria-hidden': 'true', class: 'said-mark' }, isBad ? '▲' : '·'), h('span', null, children));
  return [
    set.copies
      ? said(true, t('results.privacy_copies', { n: set.copies }), ' ', t(isScreened ? 'results.copies_left_out' : 'results.copies_kept'), ' ', t('results.copies_mean'))
      : said(false, t('results.privacy_copies_none')),
    said(set.isClose, t('results.privacy_near', { ratio: two(set.ratio), share: percent(set.below, 1), judged: t(`results.privacy_judged:${set.isClose ? 'close' : 'usual'}`) })),
    set.attacks.map(({ by, interval, outcome }) =>
      said(
        outcome === 'found',
        t('results.privacy_attack', { by: t(`results.privacy_by:${by}`), auc: two(interval.mean), between: between(interval, two), judged: t(`results.attack_judged:${outcome}`) }),
        intervalPicture(interval, { domain: [0, 1], line: 0.5, tone: outcome === 'found' ? 'warn' : 'calm' }),
      ),
    ),
    set.bounds.map(({ epsilon, delta }) => said(false, t('results.privacy_epsilon', { epsilon: number(epsilon), delta: delta === null ? '–' : Number(delta).toExponential() }))),
  ];
}

function figures(sets) {
  const attack = (by) => (set) => set.attacks.find((one) => one.by === by)?.interval;
  const made = table({
    label: tableName(t('results.privacy_table')),
    key: (set) => set.id,
    columns: [
      { id: 'set', label: t('results.set_column'), sort: setName, cell: setName },
      { id: 'members', label: t('results.members'), number: true, cell: (set) => `${number(set.members)} / ${number(set.unseen)}` },
      { id: 'ratio', label: t('results.nearest_ratio'), number: true, sort: (set) => set.ratio, cell: (set) => two(set.ratio) },
      { id: 'below', label: t('results.below_first'), number: true, sort: (set) => set.below, cell: (set) => percent(set.below, 1) },
      { id: 'copies', label: t('results.near_copies'), number: true, sort: (set) => set.copies, cell: (set) => number(set.copies) },
      ...['distance', 'discriminator'].map((by) => ({ id: by, label: t(`results.attack:${by}`), number: true, sort: (set) => attack(by)(set)?.mean ?? -1, cell: (set) => withInterval(attack(by)(set), two) })),
      { id: 'epsilon', label: 'ε', number: true, sort: (set) => Math.max(-1, ...set.bounds.map((one) => one.epsilon)), cell: (set) => (set.bounds.length ? number(Math.max(...set.bounds.map((one) => one.epsilon))) : '–') },
    ],
  });
  made.set(sets);
  return made.node;
}
