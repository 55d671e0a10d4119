/** Whom an id of the trail or of the usage stands for. */

import { all } from '../../core/api.js';
import { t } from '../../core/i18n.js';

/**
 * Return names by id: of keys, revoked ones too, of people, and of the service itself.
 *
 * @param {AbortSignal} signal
 * @returns {Promise<Map<string, string>>}
 */
export async function actorNames(signal) {
  const [keys, people] = await Promise.all([all('/v1/keys?limit=200', { signal }), all('/v1/people?limit=200', { signal })]);
  return new Map([['system', t('admin.system')], ...[...keys, ...people].map((one) => [one.id, one.name])]);
}
