/** Two studies beside each other: what was asked differently, what was found, how it looks. */

import { all, get } from '../core/api.js';
import { h } from '../core/dom.js';
import { loadWords, t } from '../core/i18n.js';
import { badge, pageHead, section, when } from '../parts/bits.js';
import { table } from '../parts/table.js';
import { countsOfBoth, reservations, settingsChanged } from './compare/changes.js';
import { figures } from './compare/figure.js';
import { resultsOf } from './results/asking.js';
import { countPhrase, outcomeBadge, tableName } from './results/names.js';
import { sample } from './results/pictures.js';
import { verdictOf } from './results/shape.js';
import { toldOf } from './results/verdict.js';

const SHEETS = 6;

/** Compare two jobs. */
export async function view({ params, signal }) {
  await loadWords('results', 'compare');
  const [first, second] = await Promise.all([side('A', params.first, signal), side('B', params.second, signal)]);
  const title = t('compare.title');
  const reserved = reservations(first, second);
  return {
    title,
    node: h(
      'div',
      { class: 'page compare' },
      pageHead({ title, crumbs: [[t('app.jobs'), '/jobs']], lead: t('compare.lead') }),
      h('div', { class: 'columns' }, [first, second].map(card)),
      h(
        'div',
        { class: ['box', reserved.length > 1 ? 'box-warn' : ''] },
        h('h2', { class: 'box-title' }, t('compare.reserved')),
        h('ul', null, reserved.map((code) => h('li', null, t(`compare.reserved:${code}`)))),
      ),
      verdicts(first, second),
      figures(first, second),
      settings(first, second),
      samples(first, second),
    ),
  };
}

async function side(letter, id, signal) {
  const job = await get(`/v1/jobs/${id}`, { signal });
  const [found, artifacts, dataset] = await Promise.all([
    resultsOf(job, signal),
    all(`/v1/jobs/${id}/artifacts`, { signal }),
    // A data set may have been deleted since.
    get(`/v1/datasets/${job.dataset_id}`, { signal }).catch((error) => {
      if (error.status === 404) return null;
      throw error;
    }),
  ]);
  return { letter, job, dataset, artifacts, name: job.name || job.id, ...found };
}

const card = ({ letter, job, dataset, name, reason }) =>
  h(
    'section',
    { class: 'card side', 'aria-label': `${letter}: ${name}` },
    h('h2', null, h('span', { class: 'letter', 'aria-hidden': 'true' }, letter), h('span', { class: 'visually-hidden' }, `${letter}: `), name),
    h('p', null, badge(job.status), ' ', when(job.finished_at ?? job.created_at)),
    h('p', { class: 'muted' }, t('compare.dataset', { name: dataset ? dataset.name || dataset.id : t('compare.dataset_gone') })),
    reason && h('p', null, t(`results.nothing_${reason}`)),
    h('div', { class: 'actions' }, h('a', { href: `#/jobs/${job.id}` }, t('results.to_job')), !reason && h('a', { href: `#/jobs/${job.id}/results` }, t('compare.to_results'))),
  );

function verdicts(first, second) {
  const sides = [first, second];
  const counts = countsOfBoth(first.results, second.results).filter(({ label, n }) => sides.some((one) => conclusionAt(one, label, n)));
  if (!counts.length) return null;
  return section(
    t('compare.verdicts'),
    h(
      'div',
      { class: 'table-box', tabindex: 0, role: 'region', 'aria-label': tableName(t('compare.verdicts')) },
      h(
        'table',
        { class: 'table beside' },
        h('thead', null, h('tr', null, h('th', { scope: 'col' }, t('results.count')), sides.map((one) => h('th', { scope: 'col', class: 'wide' }, `${one.letter}: ${one.name}`)))),
        h('tbody', null, counts.map((count) => h('tr', null, h('th', { scope: 'row' }, countPhrase(count)), sides.map((one) => h('td', { class: 'wide' }, verdict(one, count)))))),
      ),
    ),
  );
}

const conclusionAt = ({ results }, label, n) => results?.conclusions.find((one) => one.real_count_label === label && one.real_count === n);

function verdict(one, { label, n }) {
  const found = conclusionAt(one, label, n);
  if (!found) return h('span', { class: 'muted' }, t('compare.not_there'));
  return [outcomeBadge(found.outcome), h('p', null, toldOf(found, verdictOf(one.results, found)))];
}

function settings(first, second) {
  const changed = settingsChanged(first.job.spec, second.job.spec);
  if (!changed.length) return section(t('compare.settings'), h('p', null, t('compare.settings_equal')));
  const value = (found) => (found === undefined ? h('span', { class: 'muted' }, '–') : h('code', null, typeof found === 'string' ? found : JSON.stringify(found)));
  const made = table({
    label: tableName(t('compare.settings')),
    key: (row) => row.path,
    columns: [
      { id: 'path', label: t('compare.setting'), sort: (row) => row.path, cell: (row) => h('code', null, row.path) },
      { id: 'first', label: `${first.letter}: ${first.name}`, wide: true, cell: (row) => value(row.first) },
      { id: 'second', label: `${second.letter}: ${second.name}`, wide: true, cell: (row) => value(row.second) },
    ],
  });
  made.set(changed);
  return section(t('compare.settings'), h('p', { class: 'muted' }, t('compare.settings_lead')), made.node);
}

function samples(first, second) {
  const sheets = ({ artifacts }) => artifacts.filter((one) => one.kind === 'samples-png' && !one.removed_at).slice(0, SHEETS);
  if (!sheets(first).length && !sheets(second).length) return null;
  return section(
    t('compare.samples'),
    h('p', { class: 'muted' }, t('compare.samples_lead')),
    h(
      'div',
      { class: 'columns' },
      [first, second].map((one) => h('div', { class: 'stack' }, h('h3', null, `${one.letter}: ${one.name}`), sheets(one).length ? h('ul', { class: 'sample-sheets' }, sheets(one).map(sample)) : h('p', { class: 'muted' }, t('compare.no_samples')))),
    ),
  );
}
