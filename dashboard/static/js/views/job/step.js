/** One step, in front of the page: what it is, how it goes, why it failed. */

import { fill, h } from '../../core/dom.js';
import { date, duration, percent, t, tOr } from '../../core/i18n.js';
import { badge, button, english, facts, when } from '../../parts/bits.js';
import { chart } from '../../parts/chart.js';
import { copyText } from '../../parts/copy.js';
import { dialog } from '../../parts/dialog.js';
import { lossSeries, toldOf } from './curves.js';
import { isTraining, secondsOf, titleOf } from './naming.js';

/**
 * Show a step until it is closed; it changes as the step does.
 *
 * @param {object} state Of `follow`.
 * @param {string} name Of the step.
 * @param {{signal: AbortSignal, onTraining: function(string): void}} options
 */
export function openStep(state, name, { signal, onTraining }) {
  const found = () => state.steps.value.find((step) => step.name === name);
  const first = found();
  if (!first) return;
  const body = h('div', { class: 'step' });
  const error = h('div');
  const until = new AbortController();
  const close = button(t('job.close'), () => shown.close(), { kind: 'primary' });
  const actions = [isTraining(first) && button(t('job.show_training'), () => (shown.close(), onTraining(name))), close];
  const draw = () => {
    const step = found();
    if (step) fill(body, lines(step, state.steps.value));
  };
  draw();
  if (first.error) fill(error, problem(first.error));
  const shown = dialog({ title: titleOf(first), body: [body, error], actions, wide: true });
  close.focus();
  state.steps.subscribe(() => {
    draw();
    const now = found();
    if (now?.error && !error.hasChildNodes()) fill(error, problem(now.error));
  }, until.signal);
  shown.node.addEventListener('close', () => until.abort());
  signal.addEventListener('abort', () => shown.close(), { signal: until.signal });
}

function lines(step, steps) {
  const seconds = secondsOf(step);
  const titles = new Map(steps.map((one) => [one.name, titleOf(one)]));
  return [
    facts([
      [t('job.state'), badge(step.status)],
      step.status === 'running' && [t('job.progress'), percent(step.fraction)],
      step.status === 'queued' && [t('job.waiting_since'), when(step.queued_at)],
      [t('job.attempt'), step.attempt || '–'],
      [t('job.began'), date(step.started_at)],
      [t('job.took'), step.is_reused ? t('job.reused') : seconds === null ? '–' : duration(seconds)],
      [t('job.estimated'), duration(step.estimate_seconds)],
      [t('job.queue'), tOr(`job.queue_${step.queue}`, step.queue)],
    ]),
    step.detail && h('p', null, english(step.detail)),
    step.is_reused && h('p', { class: 'muted' }, t('job.reused_text')),
    step.needs?.length > 0 &&
      h('details', null, h('summary', null, t('job.needs', { n: step.needs.length })), h('ul', { class: 'small' }, step.needs.map((name) => h('li', null, titles.get(name) ?? name)))),
    h(
      'p',
      { class: 'small muted' },
      h('code', null, step.name),
      ' · ',
      h('button', { type: 'button', class: 'digest mono', title: step.key, 'aria-label': t('job.copy_key'), on: { click: () => copyText(step.key) } }, `${step.key.slice(0, 12)}…`),
    ),
  ];
}

/**
 * Return why something failed: in the reader's language where the reason is known, and as the
 * service says it.
 *
 * @param {{code: string, detail: string, hint?: string, step?: string, evidence?: object}} error
 */
export function problem(error, { kind = 'danger', title = null } = {}) {
  const known = tOr(`job.error_${error.code}`, null);
  const history = Array.isArray(error.evidence?.history) ? lossSeries(error.evidence.history) : [];
  return h(
    'div',
    { class: `box box-${kind}` },
    h('p', { class: 'box-title' }, title ?? known ?? english(error.detail)),
    (title || known) && h('p', null, english(error.detail)),
    error.hint && h('p', null, english(error.hint)),
    h('p', { class: 'small muted' }, h('code', null, error.code)),
    history.length > 0 &&
      h(
        'div',
        { class: 'evidence' },
        chart({ title: t('job.evidence'), summary: toldOf(history), x: { label: t('job.epoch') }, y: { label: t('job.loss') }, series: history, height: 220 }).node,
      ),
  );
}
