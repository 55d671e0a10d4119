/** What was found beside the table: quality, screen, shortcuts, upscaler, leaks, and what failed. */

import { h } from '../../core/dom.js';
import { fixed, number, t, tOr } from '../../core/i18n.js';
import { empty, english, facts, section } from '../../parts/bits.js';
import { intervalPicture } from '../../parts/interval.js';
import { table } from '../../parts/table.js';
import { explained, setName, tableName, withInterval } from './names.js';
import { bySet, meanOf, overSubsets, sumOf } from './sets.js';

const REJECTED = ['near-copy', 'off-manifold', 'wrong-class', 'alike', 'not-needed'];
const QUALITY = [['kid', 3], ['chance_kid', 3], ['frechet', 1], ['precision', 2], ['recall', 2], ['density', 2], ['coverage', 2], ['diversity', 2]];

/** All of them that a study has. */
export function findings(results) {
  const found = [failed(results), shortcuts(results), quality(results), screening(results), leaks(results), upscaler(results)].flat().filter(Boolean);
  return found.length ? found : empty(t('results.no_findings'));
}

const setColumn = () => ({ id: 'set', label: t('results.set_column'), sort: (row) => `${row.gan} ${String(row.n).padStart(9, '0')}`, cell: setName });

function rowsOf(label, columns, rows, key = (row) => row.id) {
  const made = table({ label: tableName(label), columns, key });
  made.set(rows);
  return made.node;
}

function failed(results) {
  if (!results.failed.length) return null;
  const columns = [...new Set(results.failed.flatMap(Object.keys))].filter((name) => !['code', 'detail', 'hint'].includes(name));
  return section(
    t('results.failed'),
    h('p', null, t('results.failed_lead')),
    rowsOf(
      t('results.failed'),
      [
        ...columns.map((name) => ({ id: name, label: tOr(`results.failed_column:${name}`, name), sort: (row) => String(row[name] ?? ''), cell: (row) => row[name] ?? '–' })),
        { id: 'why', label: t('results.why'), wide: true, cell: (row) => [row.code && h('code', null, row.code), ' ', row.detail && english(row.detail)] },
      ],
      results.failed,
      (row) => JSON.stringify(row),
    ),
  );
}

function shortcuts(results) {
  if (!results.shortcuts.length) return null;
  const sets = bySet(results.shortcuts);
  const warned = sets.filter((set) => set.of.some((one) => one.is_warning));
  const cell = (name) => (set) => {
    const interval = overSubsets(set.of.map((one) => one[name]));
    return [intervalPicture(interval, { domain: [0.3, 1], line: 0.5, tone: name === 'matched' && warned.includes(set) ? 'warn' : 'calm' }), withInterval(interval, (v) => fixed(v, 2))];
  };
  return section(
    t('results.shortcuts'),
    h('p', { class: 'muted' }, t('results.shortcuts_lead', { rare_class: results.rare_class })),
    warned.length
      ? h('div', { class: 'box box-warn' }, h('p', null, t('results.shortcuts_warning', { n: warned.length, of: sets.length })))
      : h('p', null, t('results.shortcuts_good')),
    rowsOf(
      t('results.shortcuts'),
      [setColumn(), ...['raw', 'matched', 'at_gan_size'].map((name) => ({ id: name, label: t(`results.shortcut:${name}`), sort: (set) => overSubsets(set.of.map((one) => one[name])).mean, cell: cell(name) }))],
      sets,
    ),
    explained(h('p', null, t('results.shortcuts_meaning'))),
  );
}

function quality(results) {
  const kinds = grouped(results.quality, kindOf);
  return [...kinds].map(([kind, of]) => {
    const { features, against } = of[0];
    return section(
      t('results.quality'),
      h('p', { class: 'muted' }, t('results.quality_lead', { against: t(`results.against:${against}`) }), ' ', english(features)),
      rowsOf(
        `${t('results.quality')}: ${kind}`,
        [
          setColumn(),
          ...QUALITY.map(([name, digits]) => ({ id: name, label: t(`results.quality:${name}`), number: true, sort: (set) => meanOf(set, name) ?? -1, cell: (set) => fixed(meanOf(set, name), digits) })),
          { id: 'n', label: t('results.n_fake'), number: true, sort: (set) => set.of[0].n_fake, cell: (set) => number(Math.min(...set.of.map((one) => one.n_fake))) },
        ],
        bySet(of),
      ),
      explained(h('p', null, t('results.quality_meaning'))),
    );
  });
}

const kindOf = (one) => `${one.features}, ${one.against}`;

function grouped(items, key) {
  const groups = new Map();
  for (const one of items) groups.set(key(one), [...(groups.get(key(one)) ?? []), one]);
  return groups;
}

function screening(results) {
  if (!results.screening.length) return null;
  const sets = bySet(results.screening);
  const named = new Set(results.screening.flatMap((one) => Object.keys(one.rejected)));
  const reasons = [...REJECTED.filter((reason) => named.has(reason)), ...[...named].filter((reason) => !REJECTED.includes(reason)).sort()];
  const rejected = (set, reason) => set.of.reduce((sum, one) => sum + (one.rejected[reason] ?? 0), 0);
  return section(
    t('results.screening'),
    h('p', { class: 'muted' }, t('results.screening_lead')),
    sets.filter((set) => set.of.some((one) => one.is_short)).map((set) => h('div', { class: 'box box-warn' }, h('p', null, t('results.screening_short', { name: setName(set), kept: sumOf(set, 'kept'), needed: sumOf(set, 'needed') })))),
    rowsOf(
      t('results.screening'),
      [
        setColumn(),
        ...['drawn', 'kept', 'needed'].map((name) => ({ id: name, label: t(`results.screening:${name}`), number: true, sort: (set) => sumOf(set, name), cell: (set) => number(sumOf(set, name)) })),
        ...reasons.map((reason) => ({ id: reason, label: tOr(`results.rejected:${reason}`, reason), number: true, sort: (set) => rejected(set, reason), cell: (set) => number(rejected(set, reason)) })),
      ],
      sets,
    ),
    explained(h('p', null, t('results.screening_meaning'))),
  );
}

function leaks(results) {
  const found = results.leaks;
  if (!found) return null;
  const n = found.training_images_of_test;
  const pairs = found.pairs.map((pair, i) => ({ ...pair, id: String(i) }));
  const place = (pair, i) => t('results.leak_place', { entry: String(pair.entries[i]), split: tOr(`results.split:${pair.splits[i]}`, pair.splits[i]), name: pair.classes[i] });
  return section(
    t('results.leaks'),
    h('p', { class: 'muted' }, t('results.leaks_lead')),
    facts([
      [t('results.leaks_exact'), number(found.exact)],
      [t('results.leaks_near'), number(found.near)],
      [t('results.leaks_across_splits'), number(found.across_splits)],
      [t('results.leaks_across_classes'), number(found.across_classes)],
    ]),
    n > 0
      ? h('div', { class: ['box', !found.left_out && 'box-warn'] }, h('p', null, t('results.leaks_training', { n }), ' ', t(found.left_out ? 'results.leaks_left_out' : 'results.leaks_kept')))
      : h('p', null, t('results.leaks_none')),
    !found.is_complete && h('p', null, t('results.leaks_incomplete')),
    pairs.length > 0 &&
      rowsOf(
        t('results.leaks_pairs'),
        [
          { id: 'kind', label: t('results.leak_kind'), sort: (pair) => pair.kind, cell: (pair) => t(`results.leak:${pair.kind}`) },
          { id: 'rms', label: t('results.leak_rms'), number: true, sort: (pair) => pair.rms, cell: (pair) => fixed(pair.rms, 1) },
          ...[0, 1].map((i) => ({ id: `place${i}`, label: t(`results.leak_${i ? 'second' : 'first'}`), cell: (pair) => place(pair, i) })),
        ],
        pairs,
      ),
  );
}

function upscaler(results) {
  if (!results.upscaler.length) return null;
  const names = [['psnr', 1], ['psnr_lanczos', 1], ['ssim', 3], ['ssim_lanczos', 3]];
  const worse = results.upscaler.filter((one) => one.engine !== 'lanczos' && one.psnr.mean < one.psnr_lanczos.mean && one.ssim.mean < one.ssim_lanczos.mean);
  const engine = (one) => tOr(`results.engine:${one.engine}`, one.engine);
  return section(
    t('results.upscaler'),
    h('p', { class: 'muted' }, t('results.upscaler_lead')),
    worse.map((one) => h('div', { class: 'box box-warn' }, h('p', null, t('results.upscaler_worse', { engine: engine(one) })))),
    rowsOf(
      t('results.upscaler'),
      [
        { id: 'engine', label: t('results.engine'), cell: (one) => t('results.upscaler_sizes', { engine: engine(one), from: one.size_from, to: one.size_to, n: one.n }) },
        ...names.map(([name, digits]) => ({ id: name, label: t(`results.upscaler:${name}`), number: true, cell: (one) => [fixed(one[name].mean, digits), one[name].sd !== null && h('span', { class: 'muted small' }, ` ± ${fixed(one[name].sd, digits)}`)] })),
      ],
      results.upscaler,
      (one) => `${one.engine} ${one.size_from} ${one.size_to}`,
    ),
    explained(h('p', null, t('results.upscaler_meaning'))),
  );
}
