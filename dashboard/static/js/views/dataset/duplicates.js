/** Images that stand in a set twice, or nearly: how many, which, and what that means. */

import { fill, h } from '../../core/dom.js';
import { fixed, number, t } from '../../core/i18n.js';
import { button } from '../../parts/bits.js';
import { lazy } from '../../parts/lazy.js';
import { cell } from '../../parts/sheet.js';
import { picture } from './picture.js';

const FIRST = 8;
const SHOWN = 96;

/**
 * Return what is said about duplicates.
 *
 * @param {object} found `duplicates` of the preview.
 * @param {AbortSignal} signal
 */
export function duplicates(found, signal) {
  if (found.exact + found.near === 0)
    return h('div', { class: 'box box-ok' }, h('p', null, t(found.is_complete ? 'datasets.no_duplicates' : 'datasets.no_duplicates_so_far')));
  return [
    h('p', null, t('datasets.duplicates_found', { exact: found.exact, near: found.near }), !found.is_complete && ` ${t('datasets.duplicates_incomplete')}`),
    found.across_splits > 0 && warning('leak', found.across_splits),
    found.across_classes > 0 && warning('contradiction', found.across_classes),
    found.pairs.length > 0 && lazy(async () => pairsShown(found, found.sheet && (await picture(found.sheet.links.content, signal)))).node,
  ];
}

const warning = (what, n) =>
  h('div', { class: 'box box-warn' }, h('p', { class: 'box-title' }, t(`datasets.${what}`, { n })), h('p', null, t(`datasets.${what}_means`)));

function pairsShown(found, src) {
  // The worst first: what makes every figure too good, then what contradicts itself.
  const pairs = [...found.pairs].sort((a, b) => weight(b) - weight(a) || a.rms - b.rms);
  const list = h('ul', { class: 'pairs' });
  const place = h('div');
  const draw = (count) => {
    fill(list, pairs.slice(0, count).map((pair) => pairShown(pair, found.sheet, src)));
    const more = pairs.length - count;
    fill(
      place,
      more > 0 && button(t('datasets.more_pairs', { n: more }), () => {
        draw(pairs.length);
        list.children[count]?.focus();
      }, { kind: 'small' }),
      more <= 0 && found.not_listed > 0 && h('p', { class: 'muted small' }, t('datasets.not_listed', { n: found.not_listed })),
    );
  };
  draw(FIRST);
  return [list, place];
}

const isLeak = ({ first, second }) => first.split !== second.split;
const isContradiction = ({ first, second }) => first.class !== second.class;
const weight = (pair) => (isLeak(pair) ? 2 : 0) + (isContradiction(pair) ? 1 : 0);

function pairShown(pair, sheet, src) {
  const { first, second, column } = pair;
  const hasPicture = src && column !== null && column !== undefined && column < sheet.columns;
  const shown = (one, row) =>
    h(
      'figure',
      null,
      hasPicture && cell({ src, columns: sheet.columns, size: sheet.size, index: row * sheet.columns + column, alt: placeOf(one), shown: SHOWN }),
      h('figcaption', null, placeOf(one)),
    );
  return h(
    'li',
    { class: 'pair', tabindex: -1 },
    h('div', { class: 'pair-pictures' }, shown(first, 0), shown(second, 1)),
    h('p', { class: 'small' }, pair.kind === 'exact' ? t('datasets.exact') : t('datasets.near', { rms: fixed(pair.rms, 1) })),
    isLeak(pair) && h('p', { class: 'pair-flag' }, t('datasets.pair_leak')),
    isContradiction(pair) && h('p', { class: 'pair-flag' }, t('datasets.pair_contradiction')),
  );
}

const placeOf = ({ split, class: name, entry }) => t('datasets.place', { split: t(`datasets.${split}`), class: name, entry: number(entry) });
