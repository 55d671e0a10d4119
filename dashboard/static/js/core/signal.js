/** A value that tells when it changes. */

/**
 * @param {any} initial
 * @returns {{value: any, subscribe: function(function(any): void, AbortSignal=): void}} Setting
 *   `value` calls every listener, also with an equal value: objects are changed in place.
 */
export function signal(initial) {
  let value = initial;
  const listeners = new Set();
  return {
    get value() {
      return value;
    },
    set value(next) {
      value = next;
      for (const listener of [...listeners]) listener(value);
    },
    subscribe(listener, until) {
      listeners.add(listener);
      until?.addEventListener('abort', () => listeners.delete(listener), { once: true });
    },
  };
}
