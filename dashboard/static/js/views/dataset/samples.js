/** Some images of each class, as the service has them: fitted to a square, without anything else. */

import { h } from '../../core/dom.js';
import { number, t } from '../../core/i18n.js';
import { lazy } from '../../parts/lazy.js';
import { cells } from '../../parts/sheet.js';
import { picture } from './picture.js';

/** Rows of pictures are shown at this side, in CSS pixels. */
const SHOWN = 84;
const FIRST = 12;

/**
 * Return the sheets of a data set, the classes in the order of their names.
 *
 * @param {object} preview As the API answers it.
 * @param {Object<string, Object<string, number>>} classes Images by class and split.
 * @param {AbortSignal} signal
 */
export const samples = (preview, classes, signal) =>
  preview.sheets.map((sheet) => {
    const total = classes[sheet.class]?.[sheet.split] ?? sheet.count;
    return h(
      'div',
      { class: 'samples' },
      h('h3', null, sheet.class, ' ', h('span', { class: 'muted small' }, t('datasets.sample_of', { split: t(`datasets.${sheet.split}`), n: Math.min(sheet.count, total), total }))),
      lazy(async () => shown(sheet, await picture(sheet.links.content, signal))).node,
    );
  });

function shown(sheet, src) {
  const made = (from, to) =>
    cells({
      src,
      columns: sheet.columns,
      size: sheet.size,
      shown: SHOWN,
      cells: Array.from({ length: to - from }, (_, i) => ({
        index: from + i,
        alt: t('datasets.sample', { class: sheet.class, n: number(from + i + 1) }),
      })),
    });
  if (sheet.count <= FIRST) return made(0, sheet.count);
  return [made(0, FIRST), h('details', { class: 'more' }, h('summary', null, t('datasets.more_samples', { n: sheet.count - FIRST })), made(FIRST, sheet.count))];
}

