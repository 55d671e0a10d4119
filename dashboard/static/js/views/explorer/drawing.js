/**
 * Having images drawn: a small job of high priority, waited for.
 *
 * Whoever drags a slider asks for far more than can be drawn. One drawing is under way at a time;
 * when it is done, the latest that was asked for is begun, and what lay between is never asked of
 * the service.
 */

import { ask, get } from '../../core/api.js';
import { sleep } from '../../core/live.js';

const OVER = new Set(['succeeded', 'failed', 'cancelled']);
const FIRST_PAUSE = 120;
const LONGEST_PAUSE = 1000;
/** Seconds for which the service may hold its answer back until the images are there. */
const WAIT = 5;
const KEPT = 60;

/**
 * @param {object} model As `/v1/models/{id}` has it.
 * @param {AbortSignal} signal
 * @param {{onBegin: function(): void, onImages: function(Drawing, number): void,
 *   onError: function(Error): void}} told `onImages` is also given how many seconds it took.
 * @returns {{want: function(object): void}} `want` takes an `ImagesSpec`.
 */
export function drawing(model, signal, { onBegin, onImages, onError }) {
  const known = new Map();
  let wanted = null;
  let isDrawing = false;

  async function go() {
    if (isDrawing) return;
    isDrawing = true;
    while (wanted !== null && !signal.aborted) {
      const asked = wanted;
      wanted = null;
      const key = JSON.stringify(asked);
      try {
        const began = performance.now();
        if (!known.has(key)) {
          onBegin();
          known.set(key, await draw(model, asked, signal));
          if (known.size > KEPT) known.delete(known.keys().next().value);
          await loaded(known.get(key).src);
        }
        // Even when something else is wanted by now: whoever drags on sees that something happens.
        if (!signal.aborted) onImages(known.get(key), (performance.now() - began) / 1000);
      } catch (error) {
        known.delete(key);
        if (error.name !== 'AbortError' && wanted === null) onError(error);
      }
    }
    isDrawing = false;
  }

  return {
    want(asked) {
      wanted = asked;
      go();
    },
  };
}

/**
 * @typedef {{job: object, src: string|null, zip: string|null, columns: number, gap: number,
 *   size: number, images: Array<{seed: number, position?: number}>, left_out: Array<object>}} Drawing
 *   `src` is the sheet's address; null when no image may be shown.
 */

/** @returns {Promise<Drawing>} */
async function draw(model, asked, signal) {
  const { body } = await ask('POST', `/v1/models/${model.id}/images`, {
    body: asked, signal, once: true, headers: { Prefer: `wait=${WAIT}` },
  });
  let job = body;
  for (let pause = FIRST_PAUSE; !OVER.has(job.status); pause = Math.min(pause * 1.25, LONGEST_PAUSE)) {
    await sleep(pause, signal);
    job = await get(`/v1/jobs/${job.id}`, { signal });
  }
  if (job.status !== 'succeeded') throw Object.assign(new Error(job.error?.detail ?? job.status), job.error ?? {});
  const { items } = await get(`/v1/jobs/${job.id}/artifacts`, { signal });
  const of = (kind) => items.find((one) => one.kind === kind)?.links.content ?? null;
  const told = await get(of('samples-json'), { signal });
  return { job, src: of('samples-png'), zip: of('synthetic-zip'), ...told };
}

/** Have the browser fetch a picture before it is shown: nothing flickers. */
async function loaded(src) {
  if (src === null) return;
  const image = new Image();
  image.src = src;
  await image.decode().catch(() => {});
}
