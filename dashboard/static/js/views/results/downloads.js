/** The files of a study, to take along, and what has to be known of them. */

import { h } from '../../core/dom.js';
import { bytes, t, tOr } from '../../core/i18n.js';
import { section } from '../../parts/bits.js';
import { ganName } from './names.js';

const FIRST = ['synthetic-zip', 'report-html', 'results-csv', 'results-json'];
const HIDDEN = new Set(['internal', 'model', 'nearest-json', 'nearest-png']);

/**
 * Show what can be downloaded.
 *
 * @param {Array<object>} artifacts Of the job.
 * @param {Array<object>} models That it trained.
 */
export function downloads(artifacts, models) {
  const first = FIRST.flatMap((kind) => artifacts.filter((one) => one.kind === kind));
  const rest = artifacts.filter((one) => !FIRST.includes(one.kind) && !HIDDEN.has(one.kind));
  return section(
    t('results.downloads'),
    h('div', { class: 'box box-warn' }, h('p', null, t('results.synthetic_sentence'))),
    first.length === 0 && h('p', { class: 'muted' }, t('results.downloads_none')),
    h('ul', { class: 'files' }, first.map((one) => h('li', null, file(one, t(`results.file:${one.kind}`), t(`results.file_text:${one.kind}`))))),
    models.length > 0 && [h('h3', null, t('results.models')), h('ul', { class: 'files' }, models.map((one) => h('li', null, model(one))))],
    rest.length > 0 &&
      h(
        'details',
        { class: 'explained' },
        h('summary', null, t('results.more_files', { n: rest.length })),
        h('ul', { class: 'files explained-body' }, rest.map((one) => h('li', null, file(one, one.name, tOr(`results.file_text:${one.kind}`, one.kind))))),
      ),
  );
}

function file(artifact, name, text) {
  return h(
    'div',
    { class: 'file' },
    h('div', { class: 'file-words' }, h('p', { class: 'file-name' }, name), h('p', { class: 'muted small' }, text)),
    artifact.removed_at
      ? h('p', { class: 'muted small' }, t('results.removed'))
      : h('a', { class: 'button button-small', href: artifact.links.content, download: artifact.name, title: t('results.sha', { sha: artifact.sha256 }) }, t('results.download'), h('span', { class: 'visually-hidden' }, ` ${name}`), h('span', { class: 'muted small nowrap' }, bytes(artifact.size))),
  );
}

function model(one) {
  const name = t('results.model_name', { gan: ganName(one.gan), n: one.real_count, size: one.image_size, subset: one.subset });
  return h(
    'div',
    { class: 'file' },
    h('div', { class: 'file-words' }, h('p', { class: 'file-name' }, h('a', { href: `#/models/${one.id}` }, name)), h('p', { class: 'muted small' }, t('results.model_text'))),
    one.removed_at
      ? h('p', { class: 'muted small' }, t('results.removed'))
      : h('a', { class: 'button button-small', href: one.links.content, download: one.name }, t('results.download'), h('span', { class: 'visually-hidden' }, ` ${name}`), h('span', { class: 'muted small nowrap' }, bytes(one.size))),
  );
}
