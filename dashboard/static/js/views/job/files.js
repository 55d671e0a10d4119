/** The files that a job left: what they are, and a way to have them. */

import { get } from '../../core/api.js';
import { fill, h } from '../../core/dom.js';
import { bytes, date, t, tOr } from '../../core/i18n.js';
import { empty, section } from '../../parts/bits.js';
import { copyText } from '../../parts/copy.js';
import { problemBox } from '../../parts/notices.js';
import { table } from '../../parts/table.js';
import { isFinal } from './follow.js';

const DIGEST_SHOWN = 10;

/**
 * @param {object} state Of `follow`.
 * @param {AbortSignal} signal
 * @returns {HTMLElement}
 */
export function files(state, signal) {
  const picture = h('div');
  const place = h('div', null, h('p', { class: 'muted', role: 'status' }, t('app.loading')));
  let known = '';

  async function look() {
    try {
      const { items } = await get(`/v1/jobs/${encodeURIComponent(state.job.value.id)}/artifacts`, { signal });
      const told = JSON.stringify(items);
      if (told === known) return;
      known = told;
      fill(place, items.length ? tableOf(items) : empty(t(isFinal(state.job.value) ? 'job.no_files' : 'job.no_files_yet')));
      const sheet = items.find((one) => one.kind === 'samples-png' && !one.removed_at);
      if (state.job.value.kind === 'images' && sheet) fill(picture, sheetOf(sheet));
    } catch (error) {
      if (error.name !== 'AbortError') fill(place, problemBox(error, look));
    }
  }

  // A step that has finished may have left some.
  let finished = -1;
  const changed = (steps) => {
    const now = steps.filter((step) => step.status === 'succeeded').length;
    if (now === finished) return;
    finished = now;
    look();
  };
  state.steps.subscribe(changed, signal);
  changed(state.steps.value);
  return h('div', { class: 'files' }, picture, section(t('job.files'), place));
}

function tableOf(items) {
  const shown = table({
    label: t('job.all_files'),
    key: (one) => one.id,
    columns: [
      { id: 'kind', label: t('job.file_kind'), cell: (one) => tOr(`job.file_${one.kind}`, one.kind), sort: (one) => tOr(`job.file_${one.kind}`, one.kind) },
      { id: 'name', label: t('job.file_name'), wide: true, cell: (one) => h('span', { class: 'mono' }, one.name), sort: (one) => one.name },
      { id: 'size', label: t('job.file_size'), number: true, cell: (one) => bytes(one.size), sort: (one) => one.size },
      { id: 'sha256', label: 'SHA-256', cell: digest },
      { id: 'get', label: t('job.file_get'), cell: download },
    ],
  });
  shown.set(items);
  return shown.node;
}

const digest = (one) =>
  h(
    'button',
    {
      type: 'button', class: 'digest mono', title: one.sha256, 'aria-label': t('job.copy_digest', { name: one.name }),
      on: { click: () => copyText(one.sha256) },
    },
    `${one.sha256.slice(0, DIGEST_SHOWN)}…`,
  );

function download(one) {
  if (one.removed_at) return h('span', { class: 'muted' }, t('job.file_removed', { when: date(one.removed_at) }));
  return h(
    'a',
    { class: 'button button-small', href: one.links.content, download: one.name, 'aria-label': t('job.download_named', { name: one.name }) },
    t('job.download'),
  );
}

const sheetOf = (one) =>
  section(
    t('job.pictures'),
    h(
      'figure',
      { class: 'sheet-box' },
      h('figcaption', null, h('span', { class: 'synthetic' }, t('job.synthetic')), h('p', { class: 'sheet-caption' }, t('job.pictures_caption'))),
      h('img', { class: 'sheet', src: one.links.content, alt: t('job.pictures_alt') }),
    ),
  );
