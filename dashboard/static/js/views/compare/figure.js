/** The figures of two studies in one picture, and what lies between them. */

import { fill, h } from '../../core/dom.js';
import { number, t } from '../../core/i18n.js';
import { section } from '../../parts/bits.js';
import { chart } from '../../parts/chart.js';
import { table } from '../../parts/table.js';
import { choice, countAxis, looksOf } from '../results/figure.js';
import { armName, classifierName, countName, explained, figureMeaning, figureName, signed, tableName, withInterval } from '../results/names.js';
import { armsOf, barArm, classifiersOf, countsOf, figuresOf, hasFakes, inOrder, parsedArm, pointsOf, strongestClassifier } from '../results/shape.js';
import { countsOfBoth, differencesOf } from './changes.js';

/**
 * Show them; a study without results has no lines.
 *
 * @param {{job: object, results: object|null, name: string}} first
 * @param {{job: object, results: object|null, name: string}} second
 */
export function figures(first, second) {
  const sides = [first, second].filter((side) => side.results?.summaries.length);
  if (!sides.length) return null;
  const union = (of) => [...new Set(sides.flatMap((side) => of(side.results)))];
  const [names, classifiers] = [union(figuresOf), union(classifiersOf)];
  const state = { figure: names[0], classifier: strongestClassifier(sides[0].results) };
  const drawn = chart(optionsOf(sides, first, state));
  const between = h('div', { class: 'stack' });
  const meaning = h('div', { class: 'stack' });
  const show = () => {
    drawn.update(optionsOf(sides, first, state));
    fill(meaning, figureMeaning(state.figure, sides[0].results), h('p', null, t('results.read:interval')));
    fill(between, sides.length === 2 ? differences(first, second, state) : h('p', { class: 'muted' }, t('compare.one_only')));
  };
  const set = (name) => (value) => {
    state[name] = value;
    show();
  };
  show();
  return [
    section(
      t('compare.figure'),
      h(
        'div',
        { class: 'choices' },
        choice(t('results.choose_figure'), names.map((one) => [one, figureName(one)]), state.figure, set('figure')),
        classifiers.length > 1 && choice(t('results.choose_classifier'), classifiers.map((one) => [one, classifierName(one)]), state.classifier, set('classifier')),
      ),
      h('p', { class: 'muted small' }, t('compare.figure_note')),
      drawn.node,
      explained(meaning),
    ),
    section(t('compare.differences'), h('div', { class: 'box' }, h('p', null, t('compare.reserved:descriptive'))), between),
  ];
}

function optionsOf(sides, first, { figure: name, classifier }) {
  const looks = looksOf(inOrder(sides.flatMap((side) => armsOf(side.results))));
  return {
    title: `${figureName(name)}, ${classifierName(classifier)}`,
    summary: t('compare.summary', { names: sides.map((side) => side.name).join(', ') }),
    x: countAxis(countsOfBoth(...sides.map((side) => side.results)), sides[0].results.rare_class),
    y: { label: figureName(name), tickFormat: (v) => number(v, 2), within: [0, 1] },
    series: sides.flatMap((side) => {
      const shown = fewArms(side.results, classifier);
      const arms = armsOf(side.results, classifier);
      return [...arms.filter(hasFakes), ...arms.filter((arm) => !hasFakes(arm))].map((arm) => ({
        id: `${side.letter} ${arm}`,
        label: `${side.letter}: ${armName(arm)}`,
        ...looks.get(arm),
        dashed: side !== first,
        group: `${side.letter}: ${side.name}`,
        isHidden: !shown.has(arm),
        points: pointsOf(side.results, classifier, arm, name),
      }));
    }),
    marks: true,
    height: 380,
  };
}

/** Twice as many lines as in the picture of one study are mud: the bar, and what stands for a GAN. */
function fewArms(results, classifier) {
  const bars = countsOf(results).map(({ label }) => barArm(results, classifier, label));
  const told = results.conclusions.map((one) => one.arm);
  const plain = armsOf(results, classifier).filter((arm) => parsedArm(arm).kind === 'gan');
  return new Set([...bars, ...told, ...plain]);
}

function differences(first, second, { figure: name, classifier }) {
  const rows = differencesOf(first.results, second.results, classifier, name, armsOf(first.results, classifier));
  if (!rows.length) return h('p', { class: 'muted' }, t('compare.nothing_shared'));
  const made = table({
    label: tableName(t('compare.differences')),
    key: (row) => row.id,
    columns: [
      { id: 'count', label: t('results.count'), number: true, sort: (row) => row.n, cell: countName },
      { id: 'arm', label: t('results.arm'), sort: (row) => armName(row.arm), cell: (row) => armName(row.arm) },
      { id: 'first', label: first.letter, number: true, sort: (row) => row.first.mean, cell: (row) => withInterval(row.first) },
      { id: 'second', label: second.letter, number: true, sort: (row) => row.second.mean, cell: (row) => withInterval(row.second) },
      { id: 'difference', label: t('compare.second_minus_first'), number: true, sort: (row) => row.difference, cell: (row) => h('strong', null, signed(row.difference)) },
      { id: 'overlap', label: t('compare.overlap'), cell: (row) => t(`compare.overlap_${overlap(row)}`) },
    ],
  });
  made.set(rows);
  return made.node;
}

function overlap({ first, second }) {
  if ([first.low, first.high, second.low, second.high].some((end) => end === null || end === undefined)) return 'unknown';
  return first.low <= second.high && second.low <= first.high ? 'yes' : 'no';
}
