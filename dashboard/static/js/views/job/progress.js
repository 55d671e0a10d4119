/** How far a job is, what it does, and whether what is shown is of this moment. */

import { append, fill, h } from '../../core/dom.js';
import { duration, percent, t, tOr } from '../../core/i18n.js';
import { english, left, linkButton, progressBar } from '../../parts/bits.js';
import { say } from '../../parts/notices.js';
import { isFinal } from './follow.js';
import { subjectOf, workLabel } from './naming.js';
import { problem } from './step.js';

const WAITING = 'waiting for a worker';

/**
 * @param {object} state Of `follow`.
 * @param {AbortSignal} signal
 * @returns {HTMLElement} While it runs a bar, afterwards what became of it.
 */
export function progress(state, signal) {
  const bar = progressBar(t('job.progress'));
  const link = h('p', { class: 'link' });
  const stage = h('p', { class: 'stage' });
  const running = h('div', { class: 'card progress' }, h('div', { class: 'progress-head' }, stage, link), bar.node);
  const place = h('div', { class: 'outcome' });
  let wasRunning = null;
  let told = '';

  function draw() {
    const job = state.job.value;
    const isOver = isFinal(job);
    if (isOver) {
      const now = JSON.stringify([job.status, job.error, job.failures, job.finished_at]);
      if (now !== told) {
        told = now;
        fill(place, outcome(job));
      }
      if (wasRunning) say(t(`job.ended_as_${job.status}`));
    } else {
      if (running.parentNode !== place) fill(place, running);
      const { fraction, eta_seconds: eta } = job.progress;
      bar.set(fraction, [percent(fraction), eta >= 1 ? left(eta) : ''].filter(Boolean).join(' · '));
      const words = stageOf(job, state.steps.value);
      if (words.text !== stage.dataset.text) {
        stage.dataset.text = words.text;
        fill(stage, h('strong', null, words.title), words.detail && [' – ', english(words.detail)], words.more && h('span', { class: 'muted' }, ` ${words.more}`));
      }
    }
    wasRunning = !isOver;
  }

  function drawLink() {
    const now = state.link.value;
    link.setAttribute('class', `link link-${now}`);
    fill(link, h('span', { class: 'link-mark', 'aria-hidden': 'true' }, now === 'live' ? '●' : '○'), ' ', t(`job.link_${now}`));
    if (now === 'gone') fill(place, h('div', { class: 'box box-warn', role: 'alert' }, h('p', { class: 'box-title' }, t('job.link_gone')), linkButton(t('app.jobs'), '#/jobs')));
  }

  link.setAttribute('role', 'status');
  state.job.subscribe(draw, signal);
  state.steps.subscribe(draw, signal);
  state.link.subscribe(drawLink, signal);
  draw();
  drawLink();
  return place;
}

function stageOf(job, steps) {
  const { stage, detail } = job.progress;
  const running = steps.filter((step) => step.status === 'running');
  let title;
  if (job.status === 'cancelling') title = t('job.cancelling');
  else if (job.status === 'queued' || stage === null) title = t('job.in_queue');
  else if (stage === WAITING) title = t('job.waiting');
  else {
    const shown = running.find((step) => step.kind === stage && (!detail || step.detail === detail)) ?? running.find((step) => step.kind === stage);
    const subject = shown && subjectOf(shown);
    title = subject ? `${workLabel(stage)}: ${subject}` : workLabel(stage);
  }
  const isShown = running.some((step) => step.kind === stage) && job.status !== 'cancelling';
  const more = isShown && running.length > 1 ? t('job.and_more', { n: running.length - 1 }) : '';
  return { title, detail, more, text: `${title} ${detail} ${more}` };
}

function outcome(job) {
  const seconds = job.started_at && job.finished_at ? (new Date(job.finished_at) - new Date(job.started_at)) / 1000 : null;
  const time = seconds === null ? '' : duration(seconds);
  const failures = job.failures.filter((one) => one.step);
  const lost = failures.length > 0 && [
    h('h2', { class: 'lost-title' }, t(job.status === 'failed' ? 'job.failed_steps' : 'job.left_out', { n: failures.length })),
    failures.map((one) => problem(one, { kind: job.status === 'failed' ? 'danger' : 'warn', title: stepTitle(one.step) })),
  ];
  if (job.status === 'failed') {
    const isToldBelow = failures.length > 0 && failures.some((one) => one.step === job.error?.step);
    return [job.error && !isToldBelow && append(h('div', { role: 'alert' }), problem(job.error, { title: job.error.step ? stepTitle(job.error.step) : null })), lost];
  }
  const kind = { succeeded: 'ok', cancelled: 'calm' }[job.status];
  return [
    h(
      'div',
      { class: `box box-${kind} outcome-box` },
      h('p', { class: 'box-title' }, t(`job.ended_as_${job.status}`), time && h('span', { class: 'muted' }, ` ${t('job.in_time', { time })}`)),
      job.kind === 'study' && job.status === 'succeeded' && h('p', null, t('job.verdict_there'), ' ', h('a', { href: `#/jobs/${job.id}/results` }, t('job.to_results'))),
      job.kind === 'ingest' && job.status === 'succeeded' && h('p', null, h('a', { href: `#/datasets/${job.dataset_id}` }, t('job.to_dataset'))),
      job.status === 'cancelled' && h('p', null, t('job.cancelled_text')),
    ),
    lost,
  ];
}

const stepTitle = (name) => {
  const subject = subjectOf({ name });
  const work = tOr(`job.step_${name.split(':')[0]}`, name);
  return subject ? `${work}: ${subject}` : work;
};
