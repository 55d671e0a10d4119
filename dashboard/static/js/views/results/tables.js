/** Every figure of every arm, and every comparison that a verdict was made of. */

import { fill, h } from '../../core/dom.js';
import { fixed, t } from '../../core/i18n.js';
import { section } from '../../parts/bits.js';
import { domainAround, intervalPicture } from '../../parts/interval.js';
import { table } from '../../parts/table.js';
import { caveat } from './caveats.js';
import { choice } from './figure.js';
import { armName, between, classifierName, countName, explained, figureMeaning, figureName, outcomeBadge, outcomeName, pValue, signed, tableName, withInterval } from './names.js';
import { FIGURE_GROUPS, figuresOf } from './shape.js';

const countColumn = (sort) => ({
  id: 'count',
  label: t('results.count'),
  number: true,
  sort,
  cell: (row) => countName({ label: row.real_count_label, n: row.real_count }),
});

/** Every arm with every figure. */
export function everyArm(results) {
  const present = new Set(figuresOf(results));
  const groups = Object.entries(FIGURE_GROUPS)
    .map(([name, figures]) => [name, figures.filter((figure) => present.has(figure))])
    .filter(([, figures]) => figures.length);
  if (!groups.length) return section(t('results.tab:arms'), h('p', null, t('results.no_benchmark')));
  const place = h('div');
  const meaning = h('dl', { class: 'meanings' });
  const show = (name) => {
    const figures = new Map(groups).get(name);
    const made = table({
      label: tableName(t(`results.group:${name}`)),
      key: (row) => `${row.classifier} ${row.arm} ${row.real_count_label}`,
      columns: [
        countColumn((row) => row.real_count),
        { id: 'classifier', label: t('results.classifier'), sort: (row) => row.classifier, cell: (row) => classifierName(row.classifier, { short: true }) },
        { id: 'arm', label: t('results.arm'), sort: (row) => armName(row.arm), cell: (row) => armName(row.arm) },
        { id: 'runs', label: t('results.runs_column'), number: true, sort: (row) => row.n_runs, cell: (row) => row.n_runs },
        ...figures.map((figure) => ({
          id: figure,
          label: figureName(figure),
          number: true,
          sort: (row) => row.figures[figure]?.mean ?? -Infinity,
          cell: (row) => withInterval(row.figures[figure]),
        })),
      ],
    });
    made.set(results.summaries);
    fill(place, made.node);
    fill(meaning, figures.map((figure) => h('div', null, h('dt', null, figureName(figure)), h('dd', null, figureMeaning(figure, results)))));
  };
  show(groups[0][0]);
  return section(
    t('results.tab:arms'),
    h('p', { class: 'muted' }, t('results.arms_lead')),
    groups.length > 1 && h('div', { class: 'choices' }, choice(t('results.choose_group'), groups.map(([name]) => [name, t(`results.group:${name}`)]), groups[0][0], show)),
    place,
    explained(meaning),
  );
}

/** The verdict on every arm of a GAN, and each difference that it stands on. */
export function comparisons(results) {
  if (!results.verdicts.length) return section(t('results.tab:comparisons'), h('p', null, t('results.no_gan')));
  const verdicts = table({
    label: tableName(t('results.verdicts')),
    key: (row) => `${row.classifier} ${row.arm} ${row.real_count_label}`,
    columns: [
      countColumn((row) => row.real_count),
      { id: 'arm', label: t('results.arm'), sort: (row) => armName(row.arm), cell: (row) => armName(row.arm) },
      { id: 'outcome', label: t('results.verdict'), sort: (row) => outcomeName(row.outcome), cell: (row) => outcomeBadge(row.outcome) },
      { id: 'p', label: t('results.p_holm'), number: true, sort: (row) => row.p_holm ?? 2, cell: (row) => pValue(row.p_holm) },
      { id: 'against', label: t('results.against'), sort: (row) => row.against ?? '', cell: (row) => (row.against ? armName(row.against) : '–') },
      { id: 'classifier', label: t('results.classifier'), sort: (row) => row.classifier, cell: (row) => classifierName(row.classifier, { short: true }) },
      { id: 'ratio', label: t('results.ratio'), number: true, sort: (row) => row.ratio ?? -1, cell: (row) => (row.ratio === null ? '–' : `${fixed(row.ratio, 1)} : 1`) },
      { id: 'runs', label: t('results.runs_column'), number: true, sort: (row) => row.n_runs, cell: (row) => row.n_runs },
    ],
  });
  verdicts.set(results.verdicts);
  return [
    section(
      t('results.verdicts'),
      h('p', { class: 'muted' }, t('results.verdicts_lead')),
      verdicts.node,
      limits(results.verdicts),
      explained(h('p', null, t('results.read:p')), h('p', null, t('results.read:ratio_column'))),
    ),
    differences(results),
  ];
}

/** What limits the verdicts, each caveat once, with how many it is of. */
function limits(verdicts) {
  const counted = new Map();
  for (const text of verdicts.flatMap((one) => one.caveats)) counted.set(text, (counted.get(text) ?? 0) + 1);
  if (!counted.size) return null;
  return [
    h('h3', null, t('results.caveats')),
    h('ul', { class: 'caveats' }, [...counted].map(([text, n]) => h('li', null, caveat(text), ' ', h('span', { class: 'nowrap' }, t('results.of_verdicts', { n, of: verdicts.length }))))),
  ];
}

function differences(results) {
  const rows = results.verdicts.flatMap((v) => v.comparisons.map((one) => ({ ...one, ...pick(v), id: `${v.classifier} ${v.arm} ${v.real_count_label} ${one.against} ${one.figure}` })));
  if (!rows.length) return null;
  const domain = domainAround(0, rows.map((row) => row.difference));
  const differenceCell = ({ difference }) =>
    h('div', { class: 'difference' }, h('strong', null, signed(difference.mean)), intervalPicture(difference, { domain, line: 0 }), h('span', { class: 'small muted' }, between(difference, signed)));
  const made = table({
    label: tableName(t('results.differences')),
    key: (row) => row.id,
    columns: [
      countColumn((row) => row.real_count),
      { id: 'arm', label: t('results.arm'), sort: (row) => armName(row.arm), cell: (row) => armName(row.arm) },
      { id: 'against', label: t('results.against'), sort: (row) => armName(row.against), cell: (row) => armName(row.against) },
      { id: 'figure', label: t('results.figure_column'), sort: (row) => figureName(row.figure), cell: (row) => figureName(row.figure) },
      { id: 'difference', label: t('results.difference'), sort: (row) => row.difference.mean, cell: differenceCell },
      { id: 'bootstrap', label: t('results.p_bootstrap'), number: true, sort: (row) => row.p_bootstrap, cell: (row) => pValue(row.p_bootstrap) },
      { id: 'analytic', label: t('results.p_analytic'), number: true, sort: (row) => row.p_analytic, cell: (row) => pValue(row.p_analytic) },
      { id: 'classifier', label: t('results.classifier'), sort: (row) => row.classifier, cell: (row) => classifierName(row.classifier, { short: true }) },
    ],
    // As in the view's style: rows that hold a picture are higher.
    rowHeight: 65,
  });
  made.set(rows);
  return section(t('results.differences'), h('p', { class: 'muted' }, t('results.differences_lead')), made.node, explained(h('p', null, t('results.read:differences'))));
}

const pick = ({ real_count, real_count_label, classifier, arm }) => ({ real_count, real_count_label, classifier, arm });
