/** The generators that studies have trained. */

import { get } from '../core/api.js';
import { h } from '../core/dom.js';
import { bytes, loadWords, t, tOr } from '../core/i18n.js';
import { go, here, setQuery } from '../core/router.js';
import { button, pageHead, when } from '../parts/bits.js';
import { table } from '../parts/table.js';

const A_PAGE = 100;

/** Show the list. */
export async function view({ query, signal }) {
  await loadWords('models');
  const title = t('models.title');
  const filters = new URLSearchParams();
  for (const name of ['job_id', 'dataset_id', 'gan']) if (query.get(name)) filters.set(name, query.get(name));
  filters.set('limit', A_PAGE);
  const shown = table({
    label: title,
    key: (model) => model.id,
    empty: t('models.none'),
    columns: [
      {
        id: 'gan', label: t('models.gan'), sort: (m) => m.gan,
        cell: (m) => h('a', { href: `#/models/${m.id}` }, ganName(m.gan)),
      },
      { id: 'real', label: t('models.real'), number: true, sort: (m) => m.real_count, cell: (m) => String(m.real_count) },
      { id: 'class', label: t('models.class'), sort: (m) => m.rare_class, cell: (m) => m.rare_class },
      { id: 'size', label: t('models.pixels'), number: true, sort: (m) => m.image_size, cell: (m) => `${m.image_size}` },
      { id: 'subset', label: t('models.subset'), number: true, sort: (m) => m.subset, cell: (m) => String(m.subset) },
      { id: 'file', label: t('models.file'), number: true, sort: (m) => m.size, cell: (m) => (m.removed_at ? t('models.removed') : bytes(m.size)) },
      { id: 'made', label: t('models.made'), sort: (m) => m.created_at, cell: (m) => when(m.created_at) },
    ],
  });
  const rows = [];
  const more = h('div', { class: 'actions' });
  async function load(cursor) {
    if (cursor) filters.set('cursor', cursor);
    const page = await get(`/v1/models?${filters}`, { signal });
    rows.push(...page.items);
    shown.set(rows);
    more.replaceChildren();
    if (page.next_cursor) more.append(button(t('models.more'), () => load(page.next_cursor)));
  }
  await load(null);
  const isFiltered = ['job_id', 'dataset_id', 'gan'].some((name) => query.get(name));
  const all = isFiltered && button(t('models.all'), () => {
    setQuery({ job_id: null, dataset_id: null, gan: null });
    go(here().path, { replace: true });
  });
  const node = h(
    'div',
    { class: 'page' },
    pageHead({ title, lead: t('models.lead'), actions: all ? [all] : [] }),
    h('div', { class: 'card' }, shown.node, more),
  );
  return { title, node };
}

/** A GAN's name as papers write it. */
export const ganName = (gan) => tOr(`models.gan_${gan}`, gan);
