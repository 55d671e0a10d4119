/** A part of a view that is fetched by itself: the rest does not wait for it. */

import { fill, h } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { problemBox } from './notices.js';

/**
 * Return a place that is filled when what belongs there has been fetched.
 *
 * @param {function(): Promise<any>} make Fetches, and returns what is shown.
 * @param {{failed?: function(Error): any}} [options] What is shown in place of an error, where
 *   there is something better to say; null for the error.
 * @returns {{node: HTMLElement, again: function(): Promise<void>}} `again` fetches anew.
 */
export function lazy(make, { failed = () => null } = {}) {
  const node = h('div', { class: 'lazy', 'aria-busy': 'true' }, h('p', { class: 'waiting' }, t('app.loading')));
  const again = async () => {
    node.setAttribute('aria-busy', 'true');
    try {
      fill(node, await make());
    } catch (error) {
      if (error.name === 'AbortError') return;
      fill(node, failed(error) ?? problemBox(error, again));
    } finally {
      node.setAttribute('aria-busy', 'false');
    }
  };
  again();
  return { node, again };
}
