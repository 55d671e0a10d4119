/** The uploads that go on: how far each is, and what became of it. */

import { fill, h } from '../../core/dom.js';
import { bytes, duration, t } from '../../core/i18n.js';
import { badge, button, left, linkButton, progressBar } from '../../parts/bits.js';
import { problemBox, say } from '../../parts/notices.js';
import { classesSaid } from './saying.js';
import { again, cancel, dismiss, isOver, uploads } from './queue.js';
import { problemList } from './problems.js';
import { ofAll } from './counts.js';

/**
 * Return the list of uploads.
 *
 * @param {{signal: AbortSignal, onDone: function(): void}} options `onDone` is called when a data
 *   set has been made, and when it has been read.
 */
export function uploadList({ signal, onDone }) {
  const list = h('ul', { class: 'uploads', 'aria-label': t('datasets.uploads') });
  const cards = new Map();
  const draw = (items) => {
    for (const item of items) if (!cards.has(item)) cards.set(item, card(item, { signal, onDone }));
    for (const item of cards.keys()) if (!items.includes(item)) cards.delete(item);
    list.hidden = items.length === 0;
    fill(list, items.map((item) => cards.get(item)));
  };
  uploads.subscribe(draw, signal);
  draw(uploads.value);
  return list;
}

function card(item, { signal, onDone }) {
  const title = item.name || t('datasets.unnamed');
  const bar = progressBar(t('datasets.progress_of', { name: title }));
  const mark = h('span');
  const rest = h('div', { class: 'upload-rest' });
  const node = h('li', { class: 'upload' }, h('div', { class: 'upload-head' }, h('strong', { class: 'upload-name' }, title), mark), bar.node, rest);
  let shown = null;
  const draw = (isFirst) => {
    bar.node.hidden = isOver(item);
    bar.set(...howFar(item));
    if (item.state === shown) return;
    shown = item.state;
    fill(mark, stateOf(item));
    fill(rest, below(item));
    // What was said before this view was shown is not said again.
    if (isFirst) return;
    if (SAID.has(item.state)) say(t(`datasets.said_${item.state}`, { name: title }));
    if (item.dataset) onDone();
  };
  item.changed.subscribe(() => draw(false), signal);
  draw(true);
  return node;
}

function stateOf({ state }) {
  if (state === 'sending') return h('span', { class: 'badge badge-busy' }, t('datasets.state_sending'));
  if (state === 'away') return h('span', { class: 'badge badge-warn' }, t('datasets.state_away'));
  return badge({ waiting: 'queued', checking: 'ingesting' }[state] ?? state);
}

const SAID = new Set(['away', 'checking', 'ready', 'rejected', 'failed']);

/** A fraction, and the words beside it. */
function howFar(item) {
  if (item.state === 'waiting') return [0, t('datasets.waiting')];
  if (item.state === 'checking') {
    const { progress } = item;
    if (!progress?.stage || progress.stage === 'waiting for a worker') return [null, t('datasets.checking_soon')];
    return [progress.fraction, [t('datasets.checking'), left(progress.eta_seconds)].filter(Boolean).join(' · ')];
  }
  if (item.file.size === 0) return [null, ''];
  const said = t('datasets.sent', { sent: bytes(item.sent), total: bytes(item.file.size) });
  if (item.state === 'away') return [item.sent / item.file.size, `${said} · ${t('datasets.away')}`];
  if (item.sent >= item.file.size) return [1, t('datasets.all_sent')];
  const pace = item.rate && t('datasets.rate', { rate: bytes(item.rate) });
  const time = item.rate && t('app.left', { time: duration((item.file.size - item.sent) / item.rate) });
  return [item.sent / item.file.size, [said, pace, time].filter(Boolean).join(' · ')];
}

function below(item) {
  const off = button(t('datasets.dismiss'), () => dismiss(item), { kind: 'small' });
  if (item.state === 'ready') {
    const { classes, id, problems } = item.dataset;
    return [
      h('p', null, t('datasets.ready_with', { n: ofAll(item.dataset), classes: classesSaid(classes) }), problems.length > 0 && ` ${t('datasets.with_problems', { n: problems.length })}`),
      h('div', { class: 'actions' }, linkButton(t('datasets.look'), `#/datasets/${id}`, { kind: 'small' }), linkButton(t('datasets.new_job'), `#/jobs/new?dataset=${id}`, { kind: 'primary' }), off),
    ];
  }
  if (item.state === 'rejected')
    return [
      h('div', { class: 'box box-danger' }, h('p', { class: 'box-title' }, t('datasets.rejected')), problemList(item.dataset.problems)),
      h('div', { class: 'actions' }, linkButton(t('datasets.look'), `#/datasets/${item.dataset.id}`, { kind: 'small' }), off),
    ];
  if (item.state === 'failed')
    return [
      item.error.status === undefined ? h('div', { class: 'box box-danger' }, h('p', { class: 'box-title' }, t('datasets.unreadable_file'))) : problemBox(item.error),
      h('div', { class: 'actions' }, button(t('datasets.go_on'), () => again(item), { kind: 'small' }), off),
    ];
  if (item.state === 'cancelled') return h('div', { class: 'actions' }, off);
  if (item.state === 'checking') return h('div', { class: 'actions' }, linkButton(t('datasets.look'), `#/datasets/${item.dataset.id}`, { kind: 'small' }));
  return h('div', { class: 'actions' }, button(t('datasets.cancel_upload'), () => cancel(item), { kind: 'small', 'aria-label': t('datasets.cancel_upload_of', { name: item.name }) }));
}

