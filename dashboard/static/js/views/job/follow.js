/**
 * A job as it stands, followed while it runs: by its events, and where these cannot be had (the
 * service is away, or allows no more streams) by asking as often as the service says.
 */

import { ask, get } from '../../core/api.js';
import { listen, sleep } from '../../core/live.js';
import { signal as value } from '../../core/signal.js';

const FINAL = new Set(['succeeded', 'failed', 'cancelled']);
const STEPS_MILLISECONDS = 2000;
const AWAY_MILLISECONDS = 3000;
const LEAST_PAUSE_SECONDS = 2;

/** Whether nothing more will become of a job. */
export const isFinal = (job) => FINAL.has(job.status);

/**
 * Follow a job until it is over.
 *
 * @param {string} id
 * @param {AbortSignal} signal
 * @returns {Promise<{job: object, steps: object, link: object, refresh: function(): Promise<void>}>}
 *   Signals: the job, its steps, and how we know: `live`, `reconnecting`, `asking`, `over`, or
 *   `gone` once it was deleted. A step that has not changed stays the same object.
 * @throws {ApiError}
 */
export async function follow(id, signal) {
  const here = `/v1/jobs/${encodeURIComponent(id)}`;
  const [first, list] = await Promise.all([get(here, { signal }), get(`${here}/steps`, { signal })]);
  const job = value(first);
  const steps = value(list.items);
  const link = value(isFinal(first) ? 'over' : 'reconnecting');
  let due = null;

  const isOver = () => link.value === 'gone' || isFinal(job.value);
  const tell = (state) => {
    if (state !== link.value) link.value = state;
  };

  async function readSteps() {
    const known = new Map(steps.value.map((step) => [step.name, step]));
    const { items } = await get(`${here}/steps`, { signal });
    steps.value = items.map((step) => {
      const before = known.get(step.name);
      return before && JSON.stringify(before) === JSON.stringify(step) ? before : step;
    });
  }

  async function refresh() {
    job.value = await get(here, { signal });
    await readSteps();
    if (isOver()) tell('over');
  }

  /** Look at the steps before long, but not at every event. */
  function stepsSoon(milliseconds) {
    if (due !== null) return;
    due = setTimeout(() => {
      due = null;
      // What fails here is told by the loop below.
      (isOver() ? refresh() : readSteps()).catch(() => {});
    }, milliseconds);
  }
  signal.addEventListener('abort', () => clearTimeout(due));

  function onEvent(type, { status, progress, error }) {
    job.value = { ...job.value, status, progress, error };
    if (type === 'status') {
      clearTimeout(due);
      due = null;
      stepsSoon(100);
    } else stepsSoon(STEPS_MILLISECONDS);
  }

  function onState(state) {
    if (state === 'live') {
      tell('live');
      stepsSoon(100);
    } else if (link.value === 'live') tell('reconnecting');
  }

  async function askMeanwhile() {
    let pause = AWAY_MILLISECONDS;
    while (!isOver()) {
      await sleep(pause, signal);
      pause = AWAY_MILLISECONDS;
      if (link.value === 'live' || document.hidden) continue;
      try {
        const answer = await ask('GET', here, { signal });
        if (link.value === 'live') continue;
        job.value = answer.body;
        await readSteps();
        tell(isOver() ? 'over' : link.value === 'live' ? 'live' : 'asking');
        pause = 1000 * Math.max(LEAST_PAUSE_SECONDS, Number(answer.headers.get('Retry-After')) || 0);
      } catch (error) {
        if (error.name === 'AbortError') return;
        if (error.status === 404) tell('gone');
        else if (link.value !== 'live') tell('reconnecting');
        pause = Math.max(pause, 1000 * (error.retryAfter ?? 0));
      }
    }
  }

  if (!isOver()) {
    listen(`${here}/events`, { types: ['status', 'progress'], onEvent, onState, isOver, signal });
    askMeanwhile().catch((error) => {
      if (error.name !== 'AbortError') throw error;
    });
  }
  return { job, steps, link, refresh };
}
