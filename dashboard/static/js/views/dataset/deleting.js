/** Deleting a data set: asked once, and again where jobs would go with it. */

import { del } from '../../core/api.js';
import { go } from '../../core/router.js';
import { t } from '../../core/i18n.js';
import { confirm } from '../../parts/dialog.js';
import { toast } from '../../parts/notices.js';

/**
 * Ask whether to delete a data set, and do it.
 *
 * @param {object} dataset
 */
export async function deleteDataset(dataset) {
  const name = dataset.name || dataset.id;
  let inUse = null;
  const isDone = await confirm({
    title: t('datasets.delete_title', { name }),
    text: t('datasets.delete_text'),
    confirm: t('datasets.delete'),
    danger: true,
    work: () =>
      del(`/v1/datasets/${dataset.id}`).catch((error) => {
        if (error.code !== 'dataset_in_use') throw error;
        inUse = error.problem.jobs;
      }),
  });
  if (!isDone) return;
  const isGone =
    inUse === null ||
    (await confirm({
      title: t('datasets.delete_jobs_title', { n: inUse }),
      text: t('datasets.delete_jobs_text', { n: inUse, name }),
      confirm: t('datasets.delete_jobs', { n: inUse }),
      danger: true,
      work: () => del(`/v1/datasets/${dataset.id}?with_jobs=true`),
    }));
  if (!isGone) return;
  toast(t('datasets.deleted', { name }));
  go('/datasets');
}
