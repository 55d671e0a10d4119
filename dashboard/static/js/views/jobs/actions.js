/** What can be done with a job from the table: as its state and one's rights allow. */

import { del, post, randomId } from '../../core/api.js';
import { t } from '../../core/i18n.js';
import { go } from '../../core/router.js';
import { confirm } from '../../parts/dialog.js';
import { menuButton } from '../../parts/menu.js';
import { toast } from '../../parts/notices.js';
import { may } from '../../parts/shell.js';
import { isOver, nameOf } from './rows.js';

/**
 * Make a row's menu.
 *
 * @param {object} row
 * @param {{onChanged: function(object): void, onGone: function(string): void}} told What became of it.
 */
export const rowMenu = (row, told) => menuButton(t('jobs.actions_of', { name: nameOf(row.job) }), () => entries(row, told));

function entries(row, told) {
  const { job } = row;
  const here = `/v1/jobs/${job.id}`;
  const found = [{ label: t('jobs.open'), href: `#/jobs/${job.id}` }];
  if (job.kind === 'study' && job.status === 'succeeded') found.push({ label: t('jobs.results'), href: `#/jobs/${job.id}/results` });
  if (!may('researcher')) return found;
  if (job.kind === 'study') found.push({ label: t('jobs.as_template'), href: `#/jobs/new?from=${job.id}` });
  if (!isOver(job) && job.status !== 'cancelling')
    found.push({
      label: t('jobs.cancel'),
      danger: true,
      onClick: () =>
        confirm({
          title: t('jobs.cancel_title', { name: nameOf(job) }),
          text: t('jobs.cancel_text'),
          confirm: t('jobs.cancel'),
          danger: true,
          work: async () => {
            told.onChanged(await post(`${here}/cancel`));
            toast(t('jobs.cancel_done'));
          },
        }),
    });
  if (isOver(job) && job.kind !== 'ingest') {
    // Asked twice in one dialog, after a break of the line, it is the same new job.
    const once = randomId();
    found.push({
      label: t('jobs.retry'),
      onClick: () =>
        confirm({
          title: t('jobs.retry_title', { name: nameOf(job) }),
          text: t('jobs.retry_text'),
          confirm: t('jobs.retry'),
          work: async () => {
            const next = await post(`${here}/retry`, undefined, { once });
            go(`/jobs/${next.id}`);
          },
        }),
    });
  }
  if (isOver(job))
    found.push({
      label: t('jobs.delete'),
      danger: true,
      onClick: () =>
        confirm({
          title: t('jobs.delete_title', { name: nameOf(job) }),
          text: t('jobs.delete_text'),
          confirm: t('jobs.delete'),
          danger: true,
          work: async () => {
            await del(here);
            told.onGone(job.id);
            toast(t('jobs.delete_done'));
          },
        }),
    });
  return found;
}
