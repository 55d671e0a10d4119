/** Choosing the study that another is compared with. */

import { get } from '../../core/api.js';
import { h } from '../../core/dom.js';
import { t } from '../../core/i18n.js';
import { go } from '../../core/router.js';
import { badge, when } from '../../parts/bits.js';
import { dialog } from '../../parts/dialog.js';
import { problemBox } from '../../parts/notices.js';

const OFFERED = 50;

/** Ask which one, and show the comparison. */
export async function chooseOther(job) {
  const close = h('button', { type: 'button', class: 'button' }, t('compare.never_mind'));
  let body;
  try {
    const page = await get(`/v1/jobs?kind=study&limit=${OFFERED}`);
    const others = page.items.filter((one) => one.id !== job.id);
    body = others.length
      ? h('ul', { class: 'cards' }, others.map((one) => h('li', null, h('a', { class: 'card-link', href: `#/compare/${job.id}/${one.id}`, on: { click: (event) => chosen(event, one) } }, h('span', { class: 'card-name' }, one.name || one.id), badge(one.status), h('span', { class: 'muted' }, when(one.finished_at ?? one.created_at))))))
      : h('p', null, t('compare.no_other'));
  } catch (error) {
    body = problemBox(error);
  }
  const shown = dialog({ title: t('compare.choose'), body, actions: [close], wide: true });
  close.addEventListener('click', shown.close);

  function chosen(event, one) {
    event.preventDefault();
    shown.close();
    go(`/compare/${job.id}/${one.id}`);
  }
}
