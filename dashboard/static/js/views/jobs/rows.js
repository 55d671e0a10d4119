/** What the table of jobs shows of one: cells that change in place, so that nothing flickers. */

import { fill, h } from '../../core/dom.js';
import { duration, percent, t, tOr } from '../../core/i18n.js';
import { badge, english, left, when } from '../../parts/bits.js';
import { wordsOf } from '../../parts/notices.js';

const OVER = new Set(['succeeded', 'failed', 'cancelled']);

/** Whether nothing will happen to a job any more. */
export const isOver = (job) => OVER.has(job.status);

/** What a job is called: by its name, or by its kind. */
export const nameOf = (job) => job.name || t(`jobs.unnamed_${job.kind}`);

/**
 * A row. It stays the same object when the job changes, so that its place in the page, and a focus
 * within, stay as well.
 */
export class Row {
  constructor(job) {
    this.id = job.id;
    this.job = job;
    this.painters = [];
  }

  /** How a box to tick calls it. */
  get name() {
    return nameOf(this.job);
  }

  /** Take what has become of the job; whether anything has. */
  update(job) {
    if (JSON.stringify(job) === JSON.stringify(this.job)) return false;
    this.job = job;
    for (const paint of this.painters) paint(job);
    return true;
  }

  /** Return an element that `paint` fills now and whenever the job changes. */
  cell(tag, props, paint) {
    const node = h(tag, props);
    const draw = (job) => fill(node, paint(job));
    this.painters.push(draw);
    draw(this.job);
    return node;
  }
}

/** How far it is: a bar while it runs, then why it failed or what it did without. */
export function progressCell(row) {
  const inner = h('div', { class: 'mini-fill' });
  const bar = h('div', { class: 'mini-bar', 'aria-hidden': 'true' }, inner);
  const words = h('span', { class: 'mini-words' });
  const node = h('div', { class: 'mini' }, bar, words);
  let shown = null;
  const paint = (job) => {
    const isOpen = !isOver(job);
    bar.hidden = !isOpen;
    node.classList.toggle('mini-open', isOpen);
    inner.style.setProperty('inline-size', `${job.progress.fraction * 100}%`);
    const [text, tip] = said(job);
    if (text !== shown) {
      shown = text;
      fill(words, job.status === 'failed' ? english(text) : text);
      if (tip) words.title = tip;
      else words.removeAttribute('title');
    }
  };
  row.painters.push(paint);
  paint(row.job);
  return node;
}

function said(job) {
  if (job.status === 'failed' && job.error) {
    const { title } = wordsOf({ status: 1, code: job.error.code, message: job.error.detail, hint: job.error.hint });
    return [title, job.error.detail];
  }
  if (job.failures.length && isOver(job)) return [t('jobs.did_without', { n: job.failures.length }), null];
  if (isOver(job)) return ['', null];
  if (job.status === 'queued' && job.progress.fraction === 0) return [t('jobs.waiting'), null];
  const stage = job.progress.stage ? tOr(`jobs.stage_${job.progress.stage}`, job.progress.stage) : '';
  const parts = [percent(job.progress.fraction), left(job.progress.eta_seconds), stage];
  return [parts.filter(Boolean).join(' · '), job.progress.detail];
}

/** How long it has been carried out, in seconds; null before it has begun. */
export function took(job) {
  if (!job.started_at) return null;
  return (new Date(job.finished_at ?? Date.now()) - new Date(job.started_at)) / 1000;
}

/** The columns of the table. */
export function columns({ datasetName, withKind, menu }) {
  return [
    {
      id: 'name', label: t('jobs.name'), class: 'job-name', sort: (row) => nameOf(row.job).toLowerCase(),
      cell: (row) => row.cell('span', null, (job) => h('a', { href: `#/jobs/${job.id}`, title: nameOf(job) }, nameOf(job))),
    },
    withKind && { id: 'kind', label: t('jobs.kind'), sort: (row) => row.job.kind, cell: (row) => t(`jobs.kind_${row.job.kind}`) },
    { id: 'status', label: t('jobs.status'), sort: (row) => row.job.status, cell: (row) => row.cell('span', null, (job) => badge(job.status)) },
    { id: 'progress', label: t('jobs.progress'), class: 'job-progress', sort: (row) => row.job.progress.fraction, cell: progressCell },
    {
      id: 'dataset', label: t('jobs.dataset'), class: 'job-dataset', sort: (row) => datasetName(row.job.dataset_id).toLowerCase(),
      cell: (row) => h('a', { href: `#/datasets/${row.job.dataset_id}`, title: datasetName(row.job.dataset_id) }, datasetName(row.job.dataset_id)),
    },
    { id: 'created', label: t('jobs.created'), sort: (row) => Date.parse(row.job.created_at), cell: (row) => row.cell('span', null, (job) => when(job.created_at)) },
    {
      id: 'took', label: t('jobs.took'), number: true, sort: (row) => took(row.job) ?? -1,
      cell: (row) => row.cell('span', null, (job) => (took(job) === null ? '–' : duration(took(job)))),
    },
    { id: 'menu', label: h('span', { class: 'visually-hidden' }, t('jobs.actions')), class: 'job-menu', cell: menu },
  ].filter(Boolean);
}
