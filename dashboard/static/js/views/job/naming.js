/** Steps in words: what one is called, how long it took, what became of it. */

import { duration, percent, t, tOr } from '../../core/i18n.js';

const TRAININGS = new Set(['train', 'pretrain']);

/** Whether a step trains a GAN, so that there are curves and samples to see. */
export const isTraining = (step) => TRAININGS.has(step.kind);

/** The kind of work that a step's name begins with: `fakes-features` of `fakes-features:gan:50:s0`. */
export const workOf = (step) => step.name.split(':')[0];

/** That in words. */
export const workLabel = (work) => tOr(`job.step_${work}`, work);

/** What a step is about: `infogan · 50 real · subset 0` for `train:infogan:50:s0`. */
export function subjectOf(step) {
  const [work, ...parts] = step.name.split(':');
  return parts
    .map((part) => {
      const subset = /^s(\d+)$/.exec(part);
      if (subset) return t('job.subset', { n: Number(subset[1]) });
      if (part === 'all') return t('job.real_all');
      if (/^\d+$/.test(part)) return t(work === 'control' ? 'job.pixels' : 'job.real', { n: Number(part) });
      return part === 'real' ? t('job.real_only') : part;
    })
    .join(' · ');
}

/** All of it in one line. */
export function titleOf(step) {
  const subject = subjectOf(step);
  return subject ? `${workLabel(workOf(step))}: ${subject}` : workLabel(workOf(step));
}

/** Seconds that a step has taken or takes so far; null before it began. */
export function secondsOf(step, now = Date.now()) {
  if (!step.started_at || step.is_reused) return null;
  const end = step.finished_at ? new Date(step.finished_at) : step.status === 'running' ? now : null;
  return end === null ? null : (end - new Date(step.started_at)) / 1000;
}

/** What became of a step, or how far it is: `running, 42%`. */
export function stateOf(step) {
  const word = tOr(`app.status_${step.status}`, step.status);
  if (step.is_reused && step.status === 'succeeded') return t('job.reused');
  if (step.status === 'running' && step.fraction > 0) return `${word} ${percent(step.fraction)}`;
  if (step.status === 'succeeded') {
    const seconds = secondsOf(step);
    return seconds === null ? word : `${word}, ${duration(seconds)}`;
  }
  return word;
}
