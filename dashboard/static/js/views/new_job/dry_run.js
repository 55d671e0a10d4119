/** Asking for the plan as one types: not at every key, and never showing an answer to an old question. */

import { post } from '../../core/api.js';

const PAUSE = 400; // milliseconds without a change

/**
 * @param {{onState: function('asking'|'planned'|'refused'|'broken', any): void, signal: AbortSignal}}
 *   options `onState` is told that a plan is being made, the plan, why there is none, or that the
 *   service could not be asked.
 * @returns {function(object|null): void} Asks for the plan of a spec, soon; null: there is nothing
 *   to ask for now.
 */
export function dryRun({ onState, signal }) {
  let timer = null;
  let asking = null;
  const stop = () => {
    clearTimeout(timer);
    asking?.abort();
  };
  signal.addEventListener('abort', stop);
  return function plan(spec) {
    stop();
    if (spec === null || signal.aborted) return;
    const mine = new AbortController();
    asking = mine;
    onState('asking');
    timer = setTimeout(async () => {
      try {
        const planned = await post('/v1/jobs?dry_run=true', spec, { signal: mine.signal });
        if (!mine.signal.aborted) onState('planned', planned);
      } catch (error) {
        if (mine.signal.aborted) return;
        const isAnswer = error.status >= 400 && error.status < 500 && error.status !== 429;
        onState(isAnswer ? 'refused' : 'broken', error);
      }
    }, PAUSE);
  };
}
