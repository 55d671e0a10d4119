/** Asking for a study's results, which may not be there. */

import { get } from '../../core/api.js';

/**
 * Ask for a job's results.
 *
 * @returns {Promise<{results: object|null, reason: string|null}>} `reason`: why there are none:
 *   `unfinished`, `none`, `gone`.
 */
export async function resultsOf(job, signal) {
  if (job.kind !== 'study') return { results: null, reason: 'none' };
  try {
    return { results: await get(`/v1/jobs/${job.id}/results`, { signal }), reason: null };
  } catch (error) {
    if (error.status === 409) return { results: null, reason: error.code === 'job_unfinished' ? 'unfinished' : 'none' };
    if (error.status === 410) return { results: null, reason: 'gone' };
    throw error;
  }
}
