/** The data sets of the workspace, and where new ones come in. */

import { all } from '../core/api.js';
import { h } from '../core/dom.js';
import { loadWords, number, t } from '../core/i18n.js';
import { poll } from '../core/live.js';
import { setQuery } from '../core/router.js';
import { badge, empty, field, pageHead, section, when } from '../parts/bits.js';
import { select } from '../parts/form.js';
import { may } from '../parts/shell.js';
import { table } from '../parts/table.js';
import { ofAll } from './datasets/counts.js';
import { dropZone } from './datasets/drop_zone.js';
import { layoutHelp } from './datasets/layout_help.js';
import { classesSaid } from './datasets/saying.js';
import { uploadList } from './datasets/upload_list.js';

const MOST = 1000;
const LOOK_AGAIN = 5000;

/** Show the list. */
export async function view({ query, signal }) {
  await loadWords('datasets');
  const fetched = () => all('/v1/datasets?limit=200', { most: MOST, signal });
  let datasets = await fetched();
  const title = t('app.datasets');
  const list = datasetTable();
  const filters = filterFields(query, () => list.set(datasets.filter(filters.fits)));
  const many = h('p', { class: 'muted small' });

  async function refresh() {
    datasets = keepSame(datasets, await fetched());
    show();
  }
  function show() {
    list.set(datasets.filter(filters.fits));
    many.textContent = datasets.length === MOST ? t('datasets.latest_only', { n: MOST }) : '';
    filters.node.hidden = datasets.length === 0;
  }
  show();
  poll(async () => {
    // What others upload is seen at the next visit; what is being read changes before our eyes.
    if (datasets.some((one) => one.status === 'ingesting')) await refresh();
  }, LOOK_AGAIN, signal);

  const node = h(
    'div',
    { class: 'page datasets' },
    pageHead({ title, lead: t('datasets.lead') }),
    may('researcher') && section(t('datasets.new'), dropZone(), uploadList({ signal, onDone: refresh }), layoutHelp(datasets.length === 0)),
    section(t('datasets.all'), filters.node, list.node, many),
  );
  return { title, node };
}

/** A row that has not changed stays the same object, so that the table leaves it alone. */
function keepSame(before, now) {
  const known = new Map(before.map((one) => [one.id, one]));
  return now.map((one) => (known.get(one.id)?.status === one.status ? known.get(one.id) : one));
}

function datasetTable() {
  return table({
    label: t('app.datasets'),
    key: (one) => one.id,
    empty: empty(t(may('researcher') ? 'datasets.none' : 'datasets.none_reader')),
    columns: [
      { id: 'name', label: t('datasets.name'), wide: true, sort: nameOf, cell: (one) => h('a', { href: `#/datasets/${one.id}` }, nameOf(one)) },
      { id: 'status', label: t('datasets.status'), sort: (one) => one.status, cell: (one) => badge(one.status) },
      { id: 'classes', label: t('datasets.classes'), wide: true, cell: (one) => classesSaid(one.classes) || '–' },
      { id: 'images', label: t('datasets.images'), number: true, sort: (one) => ofAll(one) ?? -1, cell: (one) => (one.classes ? number(ofAll(one)) : '–') },
      { id: 'size', label: t('datasets.side'), number: true, sort: (one) => one.image_size, cell: (one) => `${one.image_size} px` },
      { id: 'when', label: t('datasets.when'), sort: (one) => one.created_at, cell: (one) => when(one.created_at) },
    ],
  });
}

const nameOf = (one) => one.name || t('datasets.unnamed');

function filterFields(query, onChange) {
  const text = h('input', { type: 'search', autocomplete: 'off', props: { value: query.get('text') ?? '' } });
  const status = select([['', t('datasets.any_status')], ...['ready', 'ingesting', 'rejected'].map((one) => [one, t(`app.status_${one}`)])], query.get('status') ?? '');
  const changed = () => {
    setQuery({ text: text.value.trim(), status: status.value });
    onChange();
  };
  text.addEventListener('input', changed);
  status.addEventListener('change', changed);
  return {
    node: h('div', { class: 'filters' }, field(t('datasets.find'), text).node, field(t('datasets.status'), status).node),
    fits(one) {
      const wanted = text.value.trim().toLocaleLowerCase();
      const isNamed = !wanted || one.id === wanted || [one.name, ...Object.keys(one.classes ?? {})].some((word) => word.toLocaleLowerCase().includes(wanted));
      return isNamed && (!status.value || one.status === status.value);
    },
  };
}
