/** The interactive figure: what each way of training reaches against the number of real images. */

import { fill, h } from '../../core/dom.js';
import { fixed, number, t } from '../../core/i18n.js';
import { setQuery } from '../../core/router.js';
import { section } from '../../parts/bits.js';
import { chart } from '../../parts/chart.js';
import { table } from '../../parts/table.js';
import { armName, classifierName, countName, countPhrase, explained, figureMeaning, figureName, tableName, withInterval } from './names.js';
import {
  armsOf, barArm, barPoints, classifiersOf, countsOf, figuresOf, ganArm, hasFakes, headlineArms, LOWER_IS_BETTER, pointsOf, strongestClassifier, summaryOf,
} from './shape.js';

/** A choice of one of some; `onChange` is given its value. */
export function choice(label, options, value, onChange) {
  const select = h('select', { on: { change: () => onChange(select.value) } }, options.map(([id, name]) => h('option', { value: id, selected: id === value }, name)));
  return h('label', { class: 'choice' }, h('span', null, label), select);
}

/** How arms look wherever they are drawn: those with a GAN take the first, strongest colours. */
export function looksOf(arms) {
  const ordered = [...arms.filter(hasFakes), ...arms.filter((arm) => !hasFakes(arm))];
  return new Map(ordered.map((arm, i) => [arm, { colour: (i % 8) + 1, mark: i }]));
}

/** The axis of real counts of some counts: logarithmic, with "all" by its name. */
export function countAxis(counts, rareClass) {
  const named = new Map(counts.map((count) => [count.n, countName(count)]));
  return {
    label: t('results.axis_real_count', { rare_class: rareClass }),
    log: true,
    ticks: [...named.keys()],
    format: (n) => named.get(n) ?? number(n),
  };
}

/**
 * Show the figure, its controls and its table.
 *
 * @param {object} results
 * @param {URLSearchParams} query May say which `figure` and `classifier`.
 */
export function figure(results, query) {
  const figures = figuresOf(results);
  const classifiers = classifiersOf(results);
  if (!figures.length) return null;
  const state = {
    figure: figures.includes(query.get('figure')) ? query.get('figure') : figures[0],
    classifier: classifiers.includes(query.get('classifier')) ? query.get('classifier') : strongestClassifier(results),
  };
  const drawn = chart(optionsOf(results, state));
  const meaning = h('div', { class: 'stack' });
  const place = h('div');
  const note = h('p', { class: 'muted small' });

  const show = () => {
    drawn.update(optionsOf(results, state));
    fill(note, t(LOWER_IS_BETTER.has(state.figure) ? 'results.figure_note_lower' : 'results.figure_note'));
    fill(meaning, figureMeaning(state.figure, results), h('p', null, t('results.read:interval')));
    fill(place, values(results, state));
  };
  const set = (name) => (value) => {
    state[name] = value;
    setQuery({ [name]: value });
    show();
  };
  show();
  return section(
    t('results.figure'),
    h(
      'div',
      { class: 'choices' },
      choice(t('results.choose_figure'), figures.map((one) => [one, figureName(one)]), state.figure, set('figure')),
      classifiers.length > 1 && choice(t('results.choose_classifier'), classifiers.map((one) => [one, classifierName(one)]), state.classifier, set('classifier')),
    ),
    drawn.node,
    note,
    explained(meaning),
    h('h3', null, t('results.as_table')),
    place,
  );
}

function optionsOf(results, { figure: name, classifier }) {
  const every = armsOf(results);
  const looks = looksOf(every);
  const shown = headlineArms(results, classifier);
  const arms = armsOf(results, classifier);
  const line = (arm) => ({
    id: arm,
    label: armName(arm),
    ...looks.get(arm),
    dashed: !hasFakes(arm),
    group: t(hasFakes(arm) ? 'results.with_gan' : 'results.without_gan'),
    isHidden: !shown.has(arm),
    points: pointsOf(results, classifier, arm, name).map((p) => ({ ...p, note: t('results.runs', { n: p.n }) })),
  });
  // The floor goes with the arms that it is chosen from.
  const floor = {
    id: 'bar',
    label: t('results.bar'),
    colour: 8,
    mark: 5,
    dashed: true,
    isFloor: true,
    group: t('results.without_gan'),
    points: barPoints(results, classifier, name).map((p) => ({ x: p.x, y: p.y, note: armName(p.arm) })),
  };
  const series = [...arms.filter(hasFakes).map(line), ...arms.filter((arm) => !hasFakes(arm)).map(line)];
  if (floor.points.length) series.push(floor);
  return {
    title: `${figureName(name)}, ${classifierName(classifier)}`,
    summary: summaryText(results, classifier, name),
    x: countAxis(countsOf(results), results.rare_class),
    y: { label: figureName(name), tickFormat: (v) => number(v, 2), within: [0, 1] },
    series,
    marks: true,
    height: 360,
  };
}

/** What the picture shows, for those who do not see it: with and without a GAN at every count. */
function summaryText(results, classifier, name) {
  return countsOf(results)
    .map((count) => {
      const told = [barArm(results, classifier, count.label), ganArm(results, classifier, count.label)].flatMap((arm) => {
        const interval = arm && summaryOf(results, classifier, arm, count.label)?.figures[name];
        return interval ? [`${armName(arm)} ${fixed(interval.mean)}`] : [];
      });
      return told.length ? t('results.summary_at', { count: countPhrase(count), told: told.join(', ') }) : '';
    })
    .filter(Boolean)
    .join(' ');
}

/** The same as a table: arms down, real counts across. */
function values(results, { figure: name, classifier }) {
  const counts = countsOf(results);
  const bars = new Map(counts.map(({ label }) => [label, barArm(results, classifier, label)]));
  const made = table({
    label: tableName(`${figureName(name)}, ${classifierName(classifier)}`),
    key: (row) => row.arm,
    columns: [
      { id: 'arm', label: t('results.arm'), sort: (row) => armName(row.arm), cell: (row) => armName(row.arm) },
      { id: 'gan', label: t('results.gan_column'), sort: (row) => Number(hasFakes(row.arm)), cell: (row) => t(hasFakes(row.arm) ? 'results.with_gan' : 'results.without_gan') },
      ...counts.map((count) => ({
        id: count.label,
        label: countName(count),
        number: true,
        sort: (row) => row.at.get(count.label)?.mean ?? -Infinity,
        cell: (row) => [withInterval(row.at.get(count.label)), bars.get(count.label) === row.arm && [' ', h('span', { class: 'tag' }, t('results.bar_short'))]],
      })),
    ],
  });
  made.set(
    armsOf(results, classifier).map((arm) => ({ arm, at: new Map(counts.map(({ label }) => [label, summaryOf(results, classifier, arm, label)?.figures[name]])) })),
  );
  return made.node;
}
