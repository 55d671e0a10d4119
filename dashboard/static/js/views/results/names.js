/** What arms, figures and numbers of results are called; the words are those of `results.json`. */

import { h } from '../../core/dom.js';
import { fixed, number, percent, t, tOr } from '../../core/i18n.js';
import { parsedArm } from './shape.js';

const TONES = { helps: 'ok', harms: 'danger', 'no-significant-difference': 'calm', 'not-tested': 'calm' };
// Nothing that was found is not the same as nothing that was looked for.
const MARKS = { helps: '▲', harms: '▼', 'no-significant-difference': '≈', 'not-tested': '?' };

/** A GAN's name as people write it. */
export const ganName = (gan) => tOr(`results.gan:${gan}`, gan);
/** A classifier's name; `short` within a sentence. */
export const classifierName = (name, { short = false } = {}) => tOr(`results.classifier${short ? '_short' : ''}:${name}`, name);
/** A figure's name. */
export const figureName = (figure) => tOr(`results.figure:${figure}`, figure);

/** An arm's name: what its classifier was trained on. */
export function armName(arm) {
  const { kind, gan, size } = parsedArm(arm);
  if (gan !== null) return tOr(`results.arm_of:${kind}`, arm, { gan: ganName(gan) });
  if (size !== null) return tOr(`results.arm_of:${kind}`, arm, { size });
  return tOr(`results.arm:${kind}`, arm);
}

/** What an arm without a GAN does, as a noun. */
export function rivalName(arm) {
  const { kind, size } = parsedArm(arm);
  return tOr(`results.rival:${kind}`, armName(arm), { size: size ?? '' });
}

/** What was done with a GAN's images, as a noun. */
export const doingOf = (arm) => {
  const { kind, gan } = parsedArm(arm);
  return tOr(`results.doing:${kind}`, armName(arm), { gan: ganName(gan ?? '') });
};

/** A real count as an axis or a column says it: 100, or all (963). */
export const countName = ({ label, n }) => (label === 'all' ? t('results.count_all', { n }) : number(n));
/** The same with its noun. */
export const countPhrase = ({ label, n }) => t(label === 'all' ? 'results.images_all' : 'results.images', { n });
/** A set of synthetic images. */
export const setName = ({ gan, label, n }) => t('results.set_name', { gan: ganName(gan), count: countPhrase({ label, n }) });

/** The outcome of a verdict, with a mark, so that colour is not the only sign. */
export const outcomeBadge = (outcome) =>
  h(
    'span',
    { class: ['badge', `badge-${TONES[outcome] ?? 'calm'}`] },
    h('span', { 'aria-hidden': 'true', class: 'badge-mark' }, MARKS[outcome] ?? ''),
    outcomeName(outcome),
  );
export const outcomeName = (outcome) => tOr(`results.outcome:${outcome}`, outcome);
export const outcomeMark = (outcome) => MARKS[outcome] ?? '';
export const outcomeTone = (outcome) => TONES[outcome] ?? 'calm';

/** A difference with its sign: +0.012, −0.100, 0.000. */
export function signed(value, digits = 3) {
  if (value === null || value === undefined) return '–';
  const size = fixed(Math.abs(value), digits);
  if (Math.abs(value) < 0.5 * 10 ** -digits) return size;
  return `${value > 0 ? '+' : '−'}${size}`;
}

/** Both ends of an interval in words, or that there is none. */
export const between = (interval, form = fixed) =>
  interval.low === null || interval.low === undefined || interval.high === null
    ? t('results.no_interval')
    : t('results.between', { low: form(interval.low), high: form(interval.high) });

/** A p-value as journals print it. */
export const pValue = (p) => (p === null || p === undefined ? '–' : p < 0.001 ? `< ${fixed(0.001)}` : fixed(p));

/** A mean and its interval beneath, as a cell. */
export const withInterval = (interval, form = fixed) =>
  interval
    ? h('span', { class: 'figure-cell' }, form(interval.mean), ' ', interval.low === null || interval.low === undefined ? null : h('span', { class: 'muted small nowrap' }, `(${form(interval.low)}–${form(interval.high)})`))
    : '–';

/** The name of a table, apart from that of the section which it stands in. */
export const tableName = (name) => t('results.table_of', { name });

/** What explains a figure to a physician, closed until it is asked for. */
export const explained = (...children) =>
  h('details', { class: 'explained' }, h('summary', null, t('results.meaning')), h('div', { class: 'explained-body' }, children));

/** What a figure means, with the numbers of this study's test images. */
export function figureMeaning(figure, results) {
  const rare = results.classes[results.rare_class]?.test ?? 0;
  const total = Object.values(results.classes).reduce((sum, splits) => sum + (splits.test ?? 0), 0);
  const key = figure.startsWith('moved_') ? figure.slice('moved_'.length) : figure;
  const words = {
    rare_class: results.rare_class,
    n_rare: rare,
    n_other: total - rare,
    n_test: total,
    always_no: total ? percent((total - rare) / total) : '–',
    prevalence: total ? fixed(rare / total, 2) : '–',
  };
  return [
    h('p', null, t(`results.read:${key}`, words)),
    figure.startsWith('moved_') && h('p', null, t('results.read:moved')),
  ];
}
