/** What can be done with a job by whoever is signed in. */

import { del, post, randomId } from '../../core/api.js';
import { t } from '../../core/i18n.js';
import { go } from '../../core/router.js';
import { button, linkButton } from '../../parts/bits.js';
import { confirm } from '../../parts/dialog.js';
import { toast } from '../../parts/notices.js';
import { may } from '../../parts/shell.js';
import { isFinal } from './follow.js';

/**
 * Return the buttons for a job as it stands; those that whoever is signed in may not use are left
 * out.
 *
 * @param {object} state Of `follow`.
 * @returns {Array<HTMLElement>}
 */
export function actions(state) {
  const job = state.job.value;
  const here = `/v1/jobs/${encodeURIComponent(job.id)}`;
  const isOver = isFinal(job);
  const found = [];
  if (job.kind === 'study' && job.status === 'succeeded') found.push(linkButton(t('job.results'), `#/jobs/${job.id}/results`, { kind: 'primary' }));
  if (job.kind === 'images') found.push(linkButton(t('job.model'), `#/models/${job.spec.model_id}`));
  if (!may('researcher')) return found;
  if (job.kind === 'study') found.push(linkButton(t('job.again'), `#/jobs/new?from=${job.id}`));
  if (isOver && job.kind !== 'ingest') {
    found.push(button(t('job.retry'), () => retry(job, here), { kind: job.status === 'failed' ? 'primary' : '' }));
    found.push(button(t('job.delete'), () => remove(job, here), { kind: 'danger' }));
  }
  if (!isOver && job.status !== 'cancelling') found.push(button(t('job.cancel'), () => cancel(state, here), { kind: 'danger' }));
  return found;
}

const nameOf = (job) => job.name || job.id;

async function cancel(state, here) {
  const isDone = await confirm({
    title: t('job.cancel_title'),
    text: t('job.cancel_text', { name: nameOf(state.job.value) }),
    confirm: t('job.cancel_yes'),
    danger: true,
    async work() {
      state.job.value = await post(`${here}/cancel`);
      toast(t('job.cancel_asked'));
      await state.refresh();
    },
  });
  // The button that had the focus is there no more.
  if (isDone) document.querySelector('h1')?.focus();
}

function retry(job, here) {
  // Of all tries of one question one alone makes a job, though an answer were lost on the way.
  const once = randomId();
  return confirm({
    title: t('job.retry_title'),
    text: t('job.retry_text'),
    confirm: t('job.retry'),
    async work() {
      const made = await post(`${here}/retry`, undefined, { once });
      toast(t('job.retry_done'));
      go(`/jobs/${made.id}`);
    },
  });
}

const remove = (job, here) =>
  confirm({
    title: t('job.delete_title'),
    text: t('job.delete_text', { name: nameOf(job) }),
    confirm: t('job.delete_yes'),
    danger: true,
    async work() {
      await del(here);
      toast(t('job.deleted'));
      go('/jobs');
    },
  });
