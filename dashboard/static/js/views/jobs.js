/** All jobs: found, followed, compared, and what can be done with them. */

import { all } from '../core/api.js';
import { fill, h } from '../core/dom.js';
import { loadWords, t } from '../core/i18n.js';
import { empty, linkButton, pageHead } from '../parts/bits.js';
import { problemBox } from '../parts/notices.js';
import { may } from '../parts/shell.js';
import { table } from '../parts/table.js';
import { rowMenu } from './jobs/actions.js';
import { feed } from './jobs/feed.js';
import { asked, filters, hasText, queryOf } from './jobs/filters.js';
import { columns } from './jobs/rows.js';

/** Show the table. */
export async function view({ signal }) {
  await loadWords('jobs');
  const datasets = await all('/v1/datasets?limit=200', { most: 1000, signal });
  const names = new Map(datasets.map((one) => [one.id, one.name || one.id]));
  const title = t('jobs.title');
  const newJob = may('researcher') && linkButton(t('jobs.new'), '#/jobs/new', { kind: 'primary' });
  const place = h('div', { class: 'jobs-place' });
  const count = h('p', { class: 'muted small', role: 'status' });
  const more = h('button', { type: 'button', class: 'button button-small', hidden: true }, t('jobs.more'));
  const trouble = h('div');
  const compare = h('div', { class: 'jobs-compare', hidden: true });
  const none = h('div');
  let shown = null; // the table

  const jobs = feed({
    signal,
    onRows: draw,
    onState(state, error) {
      fill(trouble, state === 'failed' && problemBox(error, () => (jobs.rows().length ? jobs.more() : begin())));
      more.setAttribute('aria-disabled', state === 'loading');
    },
  });

  function newTable() {
    const { kind } = asked();
    shown = table({
      label: t('jobs.title'),
      key: (row) => row.id,
      rowHeight: 49,
      selectable: true,
      columns: columns({
        datasetName: (id) => names.get(id) ?? t('jobs.dataset_gone'),
        withKind: kind === 'all',
        menu: (row) => rowMenu(row, { onChanged: (job) => jobs.put(job), onGone: (id) => jobs.remove(id) }),
      }),
      onSelect: drawCompare,
      onEnd: () => jobs.more(),
      empty: none,
    });
    fill(place, shown.node);
    drawCompare(shown.selected);
  }

  function draw() {
    const { text } = asked();
    const all = jobs.rows();
    const found = text ? all.filter((row) => hasText(row.job, text)) : all;
    // A word that is looked for is a filter, too.
    if (!found.length) fill(none, nothing(newJob));
    shown.set(found);
    const hasMore = jobs.hasMore();
    more.hidden = !hasMore;
    fill(count, found.length ? t(hasMore ? 'jobs.count_more' : 'jobs.count', { n: found.length }) : '');
    // The service does not look for words: what is looked for may be on any page.
    if (text && found.length < 50 && hasMore) jobs.more();
  }

  function drawCompare(selected) {
    const [first, second] = selected;
    compare.hidden = selected.size === 0;
    fill(
      compare,
      h('p', { role: 'status' }, t('jobs.selected', { n: selected.size })),
      selected.size === 2
        ? linkButton(t('jobs.compare'), `#/compare/${first}/${second}`, { kind: 'primary' })
        : h('p', { class: 'muted' }, t('jobs.compare_two')),
    );
  }

  async function begin() {
    newTable();
    await jobs.start(queryOf(asked()));
  }

  more.addEventListener('click', () => jobs.more());
  const node = h(
    'div',
    { class: 'page jobs' },
    pageHead({ title, actions: newJob ? [newJob] : [] }),
    h('div', { class: 'card' }, filters({ datasets, onChange: (isOther) => (isOther ? begin() : draw()) }), trouble, place, h('div', { class: 'jobs-foot' }, count, more)),
    compare,
  );
  await begin();
  return { title, node };
}

/** Nothing yet, or nothing that suits the filters. */
function nothing(newJob) {
  const { kind, status, dataset, after, before, text } = asked();
  const isFiltered = kind !== 'study' || status || dataset || after || before || text;
  return isFiltered ? empty(t('jobs.none_found')) : empty(t('jobs.none'), newJob && newJob.cloneNode(true));
}
