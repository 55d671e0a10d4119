/** Who has come in with a token of the house's own issuer. */

import { all } from '../../core/api.js';
import { h } from '../../core/dom.js';
import { t } from '../../core/i18n.js';
import { empty, section, when } from '../../parts/bits.js';
import { lazy } from '../../parts/lazy.js';
import { table } from '../../parts/table.js';

/** Show the people. */
export function peoplePanel(signal) {
  const list = table({
    label: t('admin.people_list'),
    key: (one) => one.id,
    empty: empty(t('admin.people_none')),
    columns: [
      { id: 'name', label: t('admin.name'), wide: true, sort: (one) => one.name, cell: (one) => one.name || '–' },
      { id: 'subject', label: t('admin.subject'), cell: (one) => h('code', null, one.subject) },
      { id: 'issuer', label: t('admin.issuer'), sort: (one) => one.issuer, cell: (one) => one.issuer },
      { id: 'seen', label: t('admin.last_seen'), sort: (one) => one.last_seen_at ?? '', cell: (one) => when(one.last_seen_at) },
      { id: 'since', label: t('admin.since'), sort: (one) => one.created_at, cell: (one) => when(one.created_at) },
    ],
  });
  const place = lazy(async () => {
    list.set(await all('/v1/people?limit=200', { signal }));
    return list.node;
  });
  return section(t('admin.people'), h('p', { class: 'muted' }, t('admin.people_lead')), place.node);
}
