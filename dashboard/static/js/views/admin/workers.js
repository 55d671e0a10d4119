/** Who does the work: machines, their memory, and how long work waits for them. */

import { get } from '../../core/api.js';
import { fill, h } from '../../core/dom.js';
import { bytes, duration, number, percent, t, tOr } from '../../core/i18n.js';
import { poll } from '../../core/live.js';
import { empty, english, facts, progressBar, section, when } from '../../parts/bits.js';
import { problemBox } from '../../parts/notices.js';

const LOOK_AGAIN = 4000;
const QUEUES = ['interactive', 'gpu', 'cpu'];

/** Show the workers, anew every few seconds. */
export function workersPanel(signal) {
  const queues = h('div', { class: 'queues' });
  const list = h('ul', { class: 'workers' });
  const place = h('div', { 'aria-busy': 'true' }, h('p', { class: 'waiting' }, t('app.loading')));
  const panel = h('div', { class: 'panel-parts' }, section(t('admin.queues'), h('p', { class: 'muted' }, t('admin.queues_lead')), place, queues), section(t('admin.workers'), list));
  poll(async () => {
    // A tab that is not shown asks for nothing.
    if (!panel.isConnected && list.childElementCount) return false;
    try {
      const found = await get('/v1/workers', { signal });
      fill(place);
      fill(queues, queueTable(found.queues));
      redraw(list, found.items);
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      fill(place, error.status === 404 ? empty(t('admin.workers_untold')) : problemBox(error));
      return error.status === 404;
    } finally {
      place.setAttribute('aria-busy', 'false');
    }
    return false;
  }, LOOK_AGAIN, signal);
  return panel;
}

function queueTable(queues) {
  const names = [...QUEUES.filter((name) => name in queues), ...Object.keys(queues).filter((name) => !QUEUES.includes(name))];
  return h(
    'table',
    { class: 'table' },
    h('caption', { class: 'visually-hidden' }, t('admin.queues')),
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, t('admin.queue')), h('th', { scope: 'col', class: 'num' }, t('admin.waiting')), h('th', { scope: 'col', class: 'num' }, t('admin.oldest')))),
    h(
      'tbody',
      null,
      names.map((name) =>
        h(
          'tr',
          null,
          h('th', { scope: 'row' }, name, h('span', { class: 'muted small' }, tOr(`admin.queue_${name}`, ''))),
          h('td', { class: 'num' }, number(queues[name].waiting)),
          h('td', { class: 'num' }, queues[name].oldest_seconds === null ? '–' : duration(queues[name].oldest_seconds)),
        ),
      ),
    ),
  );
}

/** Draw anew only what has changed: what somebody reads is not taken away. */
function redraw(list, workers) {
  const shown = new Map([...list.children].map((node) => [node.dataset.key, node]));
  fill(
    list,
    workers.length === 0 && h('li', null, empty(t('admin.workers_none'))),
    workers.map((worker) => {
      const key = JSON.stringify([worker, minuteOf(worker.seen_at)]);
      return shown.get(key) ?? card(worker, key);
    }),
  );
}

const minuteOf = (iso) => Math.floor((Date.now() - new Date(iso)) / 60000);

function card(worker, key) {
  const { device, usage, step } = worker;
  const name = device?.name ?? t('admin.device_unknown');
  return h(
    'li',
    { class: ['worker', worker.is_gone && 'worker-gone'], data: { key } },
    h('div', { class: 'worker-head' }, h('h3', null, name), stateMark(worker)),
    worker.paused && pauseSaid(worker.paused),
    step && h('p', null, h('a', { href: `#/jobs/${step.job_id}` }, step.name)),
    !step && worker.is_busy && h('p', { class: 'muted' }, t('admin.busy_elsewhere')),
    usage?.gpu_memory_total_bytes > 0 && memoryBar(usage, name),
    facts([
      [t('admin.listens'), worker.queues.join(', ')],
      usage?.resident_bytes != null && [t('admin.resident'), bytes(usage.resident_bytes)],
      usage?.free_bytes != null && [t('admin.disk_free'), bytes(usage.free_bytes)],
      [t('admin.version'), worker.version],
      [t('admin.last_seen'), when(worker.seen_at)],
      [t('admin.since'), when(worker.started_at)],
    ]),
  );
}

/** `code: sentence`, as the worker says it. */
function pauseSaid(paused) {
  const [code, ...rest] = paused.split(':');
  const sentence = rest.join(':').trim() || code;
  return h('div', { class: 'box box-warn' }, h('p', { class: 'box-title' }, tOr(`admin.paused_${code}`, t('admin.paused'))), h('p', null, english(sentence)));
}

function memoryBar({ gpu_memory_used_bytes: used, gpu_memory_total_bytes: total }, name) {
  const bar = progressBar(t('admin.gpu_memory_of', { name }));
  bar.set(used / total, t('admin.gpu_memory', { used: bytes(used), total: bytes(total), share: percent(used / total) }));
  return bar.node;
}

function stateMark(worker) {
  const state = worker.is_gone ? 'gone' : worker.paused ? 'paused' : worker.is_busy ? 'busy' : 'idle';
  const [tone, mark] = { gone: ['danger', '✕'], paused: ['warn', '▲'], busy: ['busy', '◐'], idle: ['ok', '●'] }[state];
  return h('span', { class: ['badge', `badge-${tone}`] }, h('span', { 'aria-hidden': 'true', class: 'badge-mark' }, mark), t(`admin.worker_${state}`));
}
