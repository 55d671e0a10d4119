/** One data set: what is in it, what it looks like, and what is wrong with it. */

import { get } from '../core/api.js';
import { fill, h } from '../core/dom.js';
import { bytes, loadWords, number, percent, t } from '../core/i18n.js';
import { badge, button, empty, facts, left, linkButton, pageHead, progressBar, section, when } from '../parts/bits.js';
import { copyButton } from '../parts/copy.js';
import { lazy } from '../parts/lazy.js';
import { problemBox, say } from '../parts/notices.js';
import { may } from '../parts/shell.js';
import { classesPart } from './dataset/classes.js';
import { deleteDataset } from './dataset/deleting.js';
import { duplicates } from './dataset/duplicates.js';
import { samples } from './dataset/samples.js';
import { ofAll } from './datasets/counts.js';
import { follow } from './datasets/following.js';
import { problemList } from './datasets/problems.js';

const SHOWN = 5;

/** Show a data set. */
export async function view({ params, signal }) {
  await loadWords('datasets');
  const path = `/v1/datasets/${encodeURIComponent(params.id)}`;
  let dataset;
  try {
    dataset = await get(path, { signal });
  } catch (error) {
    if (error.status !== 404) throw error;
    return notThere();
  }
  const title = dataset.name || t('datasets.unnamed');
  const node = h('div', { class: 'page dataset' });
  const show = () => fill(node, headOf(dataset, title), bodyOf(dataset, signal));
  show();
  if (dataset.status === 'ingesting') {
    const bar = progressBar(t('datasets.progress_of', { name: title }));
    bar.set(null, t('datasets.checking_soon'));
    node.append(section(t('datasets.checking'), bar.node));
    const onProgress = ({ stage, fraction, eta_seconds: eta }) =>
      stage && stage !== 'waiting for a worker' ? bar.set(fraction, [percent(fraction), left(eta)].filter(Boolean).join(' · ')) : bar.set(null, t('datasets.checking_soon'));
    follow(dataset, { onProgress, signal }).then(
      (found) => {
        dataset = found;
        show();
        say(t(`datasets.said_${dataset.status}`, { name: title }));
      },
      (error) => error.name !== 'AbortError' && node.append(problemBox(error)),
    );
  }
  return { title, node };
}

function notThere() {
  const title = t('datasets.not_there');
  return {
    title,
    node: h('div', { class: 'page' }, pageHead({ title, crumbs: [[t('app.datasets'), '/datasets']] }), empty(t('datasets.not_there_why'), linkButton(t('datasets.to_list'), '#/datasets'))),
  };
}

function headOf(dataset, title) {
  const isReady = dataset.status === 'ready';
  return pageHead({
    title,
    crumbs: [[t('app.datasets'), '/datasets']],
    lead: badge(dataset.status),
    actions: [
      isReady && may('researcher') && linkButton(t('datasets.new_job'), `#/jobs/new?dataset=${dataset.id}`, { kind: 'primary' }),
      isReady && linkButton(t('datasets.its_jobs'), `#/jobs?dataset=${dataset.id}`),
      may('researcher') && button(t('datasets.delete'), () => deleteDataset(dataset), { kind: 'danger' }),
    ].filter(Boolean),
  });
}

function bodyOf(dataset, signal) {
  if (dataset.status === 'ingesting') return [];
  if (dataset.status === 'rejected')
    return [
      section(t('datasets.rejected'), problemList(dataset.problems), h('p', null, t('datasets.rejected_next')), may('researcher') && h('p', null, linkButton(t('datasets.again'), '#/datasets'))),
      aboutPart(dataset),
    ];
  const preview = get(`/v1/datasets/${dataset.id}/preview`, { signal });
  // Both parts below wait for it and say themselves what went wrong.
  preview.catch(() => {});
  const isOld = (error) => error.status === 404 && h('p', { class: 'muted' }, t('datasets.no_preview'));
  const part = (make) => lazy(async () => make(await preview), { failed: isOld }).node;
  return [
    classesPart(dataset.classes),
    dataset.problems.length > 0 && section(t('datasets.problems', { n: dataset.problems.length }), h('p', { class: 'muted' }, t('datasets.problems_lead')), problemList(dataset.problems)),
    section(t('datasets.samples'), h('p', { class: 'muted' }, t('datasets.samples_lead')), part((found) => samples(found, dataset.classes, signal))),
    section(t('datasets.duplicates'), part((found) => duplicates(found.duplicates, signal))),
    h('div', { class: 'columns' }, jobsPart(dataset, signal), modelsPart(dataset, signal)),
    aboutPart(dataset),
  ];
}

function aboutPart(dataset) {
  const hash = (text, label) => h('span', { class: 'hash' }, h('code', null, text), copyButton(t('datasets.copy'), () => text, { 'aria-label': t('datasets.copy_what', { what: label }) }));
  return section(
    t('datasets.about'),
    facts([
      dataset.classes && [t('datasets.images'), number(ofAll(dataset))],
      [t('datasets.side'), `${dataset.image_size} × ${dataset.image_size} px`],
      [t('datasets.upload_size'), bytes(dataset.size)],
      [t('datasets.when'), when(dataset.created_at)],
      dataset.ready_at && [t('datasets.ready_at'), when(dataset.ready_at)],
    ]),
    h(
      'dl',
      { class: 'hashes' },
      h('div', null, h('dt', null, t('datasets.id')), h('dd', null, hash(dataset.id, t('datasets.id')))),
      dataset.digest && h('div', null, h('dt', null, t('datasets.digest')), h('dd', null, hash(dataset.digest, t('datasets.digest')))),
      dataset.sha256 && h('div', null, h('dt', null, t('datasets.sha256')), h('dd', null, hash(dataset.sha256, t('datasets.sha256')))),
    ),
    dataset.digest && h('p', { class: 'muted small' }, t('datasets.digest_means')),
  );
}

function jobsPart(dataset, signal) {
  const make = async () => {
    const { items } = await get(`/v1/jobs?kind=study&dataset_id=${dataset.id}&limit=${SHOWN}`, { signal });
    if (items.length === 0) return empty(t('datasets.no_jobs'));
    return h('ul', { class: 'cards' }, items.map((job) => link(job.status === 'succeeded' ? `/jobs/${job.id}/results` : `/jobs/${job.id}`, job.name || job.id, badge(job.status), when(job.created_at))));
  };
  return section(t('datasets.jobs'), lazy(make).node);
}

function modelsPart(dataset, signal) {
  const make = async () => {
    const { items } = await get(`/v1/models?dataset_id=${dataset.id}&limit=${SHOWN}`, { signal });
    if (items.length === 0) return empty(t('datasets.no_models'));
    return h('ul', { class: 'cards' }, items.map((model) => link(`/models/${model.id}`, t('datasets.model', { gan: model.gan, n: model.real_count, size: model.image_size }), null, when(model.created_at))));
  };
  return section(t('datasets.models'), lazy(make).node);
}

const link = (address, name, mark, right) =>
  h('li', null, h('a', { class: 'card-link', href: `#${address}` }, h('span', { class: 'card-name' }, name), mark, h('span', { class: 'muted' }, right)));
