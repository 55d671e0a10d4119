/** What a hundred people with the finding, and a hundred without, would meet. */

import { h } from '../../core/dom.js';
import { t } from '../../core/i18n.js';
import { section } from '../../parts/bits.js';
import { armName, classifierName, countPhrase, tableName } from './names.js';
import { patientsOf } from './shape.js';

/** Show it; null where there is no classifier. */
export function patients(results) {
  const found = patientsOf(results);
  if (!found) return null;
  const rare = results.rare_class;
  return section(
    t('results.patients'),
    h('p', { class: 'muted' }, t('results.patients_lead', { rare_class: rare, classifier: classifierName(found.classifier), threshold: t(found.isMoved ? 'results.threshold_moved' : 'results.threshold_half') })),
    h(
      'div',
      { class: 'table-box', tabindex: 0, role: 'region', 'aria-label': tableName(t('results.patients')) },
      h(
        'table',
        { class: 'table hundred' },
        h('caption', { class: 'visually-hidden' }, tableName(t('results.patients'))),
        h('thead', null, h('tr', null, ['patients_arm', 'patients_found', 'patients_missed', 'patients_alarms'].map((key, i) => h('th', { scope: 'col', class: i > 1 && 'num' }, t(`results.${key}`, { rare_class: rare }))))),
        found.groups.map((group) =>
          h(
            'tbody',
            null,
            h('tr', { class: 'group-row' }, h('th', { scope: 'rowgroup', colspan: 4 }, countPhrase(group))),
            group.rows.map((row) =>
              h(
                'tr',
                null,
                h('th', { scope: 'row' }, armName(row.arm), ' ', h('span', { class: 'tag' }, t(row.isGan ? 'results.with_gan' : 'results.bar_short'))),
                h('td', null, h('span', { class: 'of-hundred' }, h('span', { class: 'of-hundred-bar', 'aria-hidden': 'true' }, share(row)), h('strong', null, row.found))),
                h('td', { class: 'num' }, row.missed),
                h('td', { class: 'num' }, row.alarms),
              ),
            ),
          ),
        ),
      ),
    ),
  );
}

const share = (row) => h('span', { class: ['of-hundred-fill', row.isGan && 'of-hundred-gan'], style: { 'inline-size': `${row.found}%` } });
