/** Pictures of patients: fetched once, held by this view alone, and let go with it. */

import { ApiError } from '../../core/api.js';

/**
 * Fetch a picture that must not be kept anywhere.
 *
 * @param {string} path
 * @param {AbortSignal} signal Of the view; with it the picture is let go.
 * @returns {Promise<string>} An address for `img` that only this page knows.
 * @throws {ApiError}
 */
export async function picture(path, signal) {
  const answer = await fetch(path, { signal, credentials: 'same-origin' });
  if (!answer.ok) throw new ApiError(answer.status, await answer.json().catch(() => ({})), answer.headers);
  const address = URL.createObjectURL(await answer.blob());
  signal.addEventListener('abort', () => URL.revokeObjectURL(address), { once: true });
  return address;
}
