/** How many synthetic images to a real one: what was tried, what was chosen, and by what. */

import { fill, h } from '../../core/dom.js';
import { fixed, number, t } from '../../core/i18n.js';
import { section } from '../../parts/bits.js';
import { chart } from '../../parts/chart.js';
import { table } from '../../parts/table.js';
import { choice } from './figure.js';
import { classifierName, countPhrase, explained, ganName, tableName } from './names.js';
import { ratiosOf } from './sets.js';

/** Show it; null where no ratios were tried. */
export function ratios(results) {
  const lines = ratiosOf(results);
  if (!lines.length) return null;
  const kinds = [...new Map(lines.map((line) => [`${line.gan} ${line.classifier}`, t('results.ratio_kind', { gan: ganName(line.gan), classifier: classifierName(line.classifier, { short: true }) })]))];
  const place = h('div', { class: 'stack' });
  const show = (kind) => fill(place, shown(lines.filter((line) => `${line.gan} ${line.classifier}` === kind), new Map(kinds).get(kind)));
  show(kinds[0][0]);
  return section(
    t('results.tab:ratios'),
    h('p', { class: 'muted' }, t('results.ratios_lead')),
    kinds.length > 1 && h('div', { class: 'choices' }, choice(t('results.choose_set'), kinds, kinds[0][0], show)),
    place,
    explained(h('p', null, t('results.ratios_meaning'))),
  );
}

function shown(lines, name) {
  const series = lines.flatMap((line, i) => [
    {
      id: `${line.id} held-out`,
      label: countPhrase(line),
      colour: (i % 8) + 1,
      mark: i,
      group: t('results.ratio_heldout'),
      points: line.points.map((p) => ({ x: p.ratio, y: p.heldOut, note: t('results.ratio_chosen', { n: p.chosen, of: p.runs }) })),
    },
  ]);
  const tests = lines.map((line, i) => ({
    id: `${line.id} test`,
    label: countPhrase(line),
    colour: (i % 8) + 1,
    mark: i,
    dashed: true,
    isHidden: true,
    group: t('results.ratio_test'),
    points: line.points.filter((p) => p.test !== null).map((p) => ({ x: p.ratio, y: p.test })),
  }));
  const rows = lines.flatMap((line) => line.points.map((p) => ({ ...p, line, id: `${line.id} ${p.ratio}` })));
  const made = table({
    label: tableName(t('results.tab:ratios')),
    key: (row) => row.id,
    columns: [
      { id: 'count', label: t('results.count'), sort: (row) => row.line.n, cell: (row) => countPhrase(row.line) },
      { id: 'ratio', label: t('results.ratio'), number: true, sort: (row) => row.ratio, cell: (row) => `${number(row.ratio)} : 1` },
      { id: 'heldout', label: t('results.ratio_heldout'), number: true, sort: (row) => row.heldOut, cell: (row) => fixed(row.heldOut) },
      { id: 'test', label: t('results.ratio_test'), number: true, sort: (row) => row.test ?? -1, cell: (row) => fixed(row.test) },
      { id: 'chosen', label: t('results.chosen'), number: true, sort: (row) => row.chosen / row.runs, cell: (row) => t('results.of', { n: row.chosen, of: row.runs }) },
    ],
  });
  made.set(rows);
  return [
    chart({
      title: t('results.ratios_title', { name }),
      summary: lines
        .map((line) => t('results.ratios_summary', { count: countPhrase(line), ratio: number(line.points.reduce((best, p) => (p.chosen > best.chosen ? p : best)).ratio) }))
        .join(' '),
      x: { label: t('results.axis_ratio'), ticks: [...new Set(lines.flatMap((line) => line.points.map((p) => p.ratio)))].sort((a, b) => a - b) },
      y: { label: t('results.figure:roc_auc'), tickFormat: (v) => number(v, 2), within: [0, 1] },
      series: [...series, ...tests],
      marks: false,
      height: 300,
    }).node,
    made.node,
  ];
}
