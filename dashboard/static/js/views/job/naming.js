/** Steps in words: what one is called, how long it took, what became of it. */

import { duration, percent, t, tOr } from '../../core/i18n.js';

const SUBSET = /^s(\d+)$/;
const OVER = new Set(['succeeded', 'failed', 'cancelled']);
const TRAININGS = new Set(['train', 'pretrain']);

/** Whether a step trains a GAN, so that there are curves and samples to see. */
export const isTraining = (step) => TRAININGS.has(step.kind);

/** The kind of work that a step's name begins with: `fakes-features` of `fakes-features:gan:50:s0`. */
export const workOf = (step) => step.name.split(':')[0];

/** That in words. */
export const workLabel = (work) => tOr(`job.step_${work}`, work);

/**
 * What a step is about: `infogan · 50 real · subset 0` for `train:infogan:50:s0`.
 *
 * @param {{name: string}} step
 * @param {{hasSubsets?: boolean}} [options] Whether the subset is said.
 */
export function subjectOf(step, { hasSubsets = true } = {}) {
  const [work, ...parts] = step.name.split(':');
  return parts
    .filter((part) => hasSubsets || !SUBSET.test(part))
    .map((part) => {
      const subset = SUBSET.exec(part);
      if (subset) return t('job.subset', { n: Number(subset[1]) });
      if (part === 'all') return t('job.real_all');
      if (/^\d+$/.test(part)) return t(work === 'control' ? 'job.pixels' : 'job.real', { n: Number(part) });
      return part === 'real' ? t('job.real_only') : tOr(`models.gan_${part}`, part);
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
  // One that waits for another attempt keeps the times of the one before.
  const end = step.status === 'running' ? now : OVER.has(step.status) && step.finished_at ? new Date(step.finished_at) : null;
  return end === null ? null : (end - new Date(step.started_at)) / 1000;
}

/** Whole minutes beyond a minute, whole hours beyond an hour. */
function rounded(seconds) {
  const unit = [3600, 60].find((one) => seconds >= one) ?? 1;
  return Math.round(seconds / unit) * unit;
}

/**
 * What became of a step, or how far it is: `running, 42%`.
 *
 * @param {object} step
 * @param {{isRough?: boolean}} [options] Whether a time is said in its largest unit alone.
 */
export function stateOf(step, { isRough = false } = {}) {
  const word = tOr(`app.status_${step.status}`, step.status);
  if (step.is_reused && step.status === 'succeeded') return t('job.reused');
  if (step.status === 'running' && step.fraction > 0) return `${word} ${percent(step.fraction)}`;
  if (step.status === 'succeeded') {
    const seconds = secondsOf(step);
    return seconds === null ? word : `${word}, ${duration(isRough ? rounded(seconds) : seconds)}`;
  }
  return word;
}
