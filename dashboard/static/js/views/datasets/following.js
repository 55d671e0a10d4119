/** Following the reading of an upload until it is over. */

import { get } from '../../core/api.js';
import { listen, poll } from '../../core/live.js';

const FINAL = new Set(['succeeded', 'failed', 'cancelled']);
const ASK_AGAIN = 5000;

/**
 * Wait until a data set is ready or rejected.
 *
 * @param {object} dataset As the API answers it.
 * @param {{onProgress: function(object): void, signal: AbortSignal}} options `onProgress` is given
 *   the job's `progress`.
 * @returns {Promise<object>} The data set as it is then.
 */
export function follow(dataset, { onProgress, signal }) {
  if (dataset.status !== 'ingesting') return Promise.resolve(dataset);
  return new Promise((resolve, reject) => {
    const done = new AbortController();
    const until = AbortSignal.any([signal, done.signal]);
    let isOver = false;
    const look = async () => {
      try {
        const found = await get(dataset.links.self, { signal: until });
        if (found.status === 'ingesting') return false;
        resolve(found);
      } catch (error) {
        // It was deleted, or we were signed out; anything else may pass.
        if (error.status !== 404 && error.status !== 401) return false;
        reject(error);
      }
      isOver = true;
      done.abort();
      return true;
    };
    signal.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')), { once: true });
    if (dataset.links.ingest)
      listen(`${dataset.links.ingest}/events`, {
        types: ['status', 'progress'],
        onEvent(type, data) {
          if (FINAL.has(data.status)) {
            isOver = true;
            look();
          } else onProgress(data.progress);
        },
        onState() {},
        isOver: () => isOver,
        signal: until,
      });
    // Where no stream comes through, asking does.
    poll(look, ASK_AGAIN, until);
  });
}
