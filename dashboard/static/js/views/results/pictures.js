/** Synthetic images with the real ones that are nearest to them: new, or learned by heart? */

import { get } from '../../core/api.js';
import { fill, h } from '../../core/dom.js';
import { fixed, t } from '../../core/i18n.js';
import { section } from '../../parts/bits.js';
import { problemBox } from '../../parts/notices.js';
import { cell } from '../../parts/sheet.js';
import { picture } from '../dataset/picture.js';
import { choice } from './figure.js';
import { explained, ganName, setName } from './names.js';

const SHOWN = 104;

/**
 * Show the sheets of a job.
 *
 * @param {Array<object>} artifacts Of the job.
 * @param {AbortSignal} signal
 */
export function pictures(artifacts, signal) {
  const listed = artifacts.filter((one) => one.kind === 'nearest-json' && !one.removed_at);
  const place = h('div', { class: 'stack' }, h('p', { class: 'waiting', role: 'status' }, listed.length ? t('app.loading') : t('results.nearest_none')));
  if (listed.length) load(listed, artifacts, place, signal);
  return [
    section(
      t('results.nearest'),
      h('p', { class: 'muted' }, t('results.nearest_lead')),
      place,
      explained(h('p', null, t('results.nearest_meaning'))),
    ),
    samples(artifacts),
  ];
}

async function load(listed, artifacts, place, signal) {
  try {
    const found = await Promise.all(listed.map((one) => get(one.links.content, { signal })));
    const sheets = found
      .flatMap((one) => (typeof one === 'string' ? JSON.parse(one) : one).sheets)
      .map((sheet) => ({ ...sheet, src: artifacts.find((one) => one.name === sheet.artifact)?.links.content }))
      .filter((sheet) => sheet.src);
    if (!sheets.length) {
      fill(place, h('p', null, t('results.nearest_none')));
      return;
    }
    const shown = h('div', { class: 'stack' });
    let wanted = null;
    const show = async (i) => {
      const sheet = (wanted = sheets[i]);
      try {
        // Each small picture is cut out of the same sheet, which the browser must not keep.
        sheet.held ??= picture(sheet.src, signal);
        const src = await sheet.held;
        if (sheet === wanted) fill(shown, sheetOf({ ...sheet, src }));
      } catch (error) {
        sheet.held = null;
        if (error.name !== 'AbortError' && sheet === wanted) fill(shown, problemBox(error, () => show(i)));
      }
    };
    const named = sheets.map((sheet, i) => [String(i), t('results.nearest_set', { set: setName({ gan: sheet.gan, label: sheet.real_count_label, n: sheet.real_count }), subset: sheet.subset })]);
    fill(place, sheets.length > 1 && h('div', { class: 'choices' }, choice(t('results.choose_set'), named, '0', show)), shown);
    show(0);
  } catch (error) {
    if (error.name !== 'AbortError') fill(place, problemBox(error));
  }
}

function sheetOf(sheet) {
  const { src, columns, size } = sheet;
  const one = (row, column, alt) => cell({ src, columns, size, index: row * columns + column, alt, shown: SHOWN });
  const neighbours = sheet.rows.slice(1);
  return [
    sheet.near_copies > 0
      ? h('div', { class: 'box box-warn' }, h('p', { class: 'box-title' }, t('results.nearest_copies', { n: sheet.near_copies })), h('p', null, t('results.nearest_copies_text')))
      : h('p', null, t(sheet.near_copies === 0 ? 'results.nearest_no_copies' : 'results.nearest_not_counted')),
    h(
      'ul',
      { class: 'neighbours' },
      Array.from({ length: columns }, (_, column) => {
        const distances = sheet.distances[column] ?? [];
        const about = { i: column + 1, gan: ganName(sheet.gan) };
        return h(
          'li',
          null,
          h('figure', { class: 'neighbour neighbour-synthetic' }, one(0, column, t('results.alt_synthetic', about)), h('figcaption', null, h('span', { class: 'tag tag-synthetic' }, t('results.synthetic')))),
          neighbours.map((_, n) =>
            h(
              'figure',
              { class: 'neighbour' },
              one(n + 1, column, t('results.alt_nearest', { ...about, n: n + 1 })),
              h('figcaption', null, h('span', { class: 'tag' }, t('results.real')), ' ', distances[n] === undefined || distances[n] === null ? '' : h('span', { class: 'nowrap' }, fixed(distances[n], 2))),
            ),
          ),
        );
      }),
    ),
  ];
}

/** Sheets of samples: what the GANs drew, below images of patients. */
function samples(artifacts) {
  const sheets = artifacts.filter((one) => one.kind === 'samples-png' && !one.removed_at);
  if (!sheets.length) return null;
  return section(
    t('results.samples'),
    h('p', { class: 'muted' }, t('results.samples_lead')),
    h('ul', { class: 'sample-sheets' }, sheets.slice(0, 24).map(sample)),
  );
}

/** One sheet of samples of a study, labelled as what it holds: real images, too. */
export const sample = (artifact) =>
  h(
    'li',
    null,
    h('figure', null, h('img', { src: artifact.links.content, alt: t('results.alt_samples', { name: artifact.name }), loading: 'lazy' }), h('figcaption', null, h('span', { class: 'tag' }, t('results.real')), ' ', h('span', { class: 'tag tag-synthetic' }, t('results.synthetic')), ' ', h('span', { class: 'mono' }, artifact.name))),
  );
