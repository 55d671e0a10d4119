/**
 * The uploads of this page: one after the other, whichever view is shown meanwhile. Each goes from
 * `waiting` over `sending` (and `away` while the network is) and `checking` to `ready` or
 * `rejected`; or it is `failed` or `cancelled`.
 */

import { session } from '../../core/api.js';
import { signal } from '../../core/signal.js';
import { follow } from './following.js';
import { giveUp, transfer } from './transfer.js';

/** All uploads, the first first; told anew when one is added or removed. */
export const uploads = signal([]);

const OVER = new Set(['ready', 'rejected', 'failed', 'cancelled']);
/** Whether nothing more will happen to an upload by itself. */
export const isOver = (item) => OVER.has(item.state);

let owner = null;
let isSending = false;

/**
 * Add files to the queue.
 *
 * @param {Array<{file: File, name: string}>} chosen
 * @param {number} imageSize Side in pixels.
 */
export function enqueue(chosen, imageSize) {
  const added = chosen.map(({ file, name }) => ({ file, name, imageSize, ...fresh(), changed: signal(null) }));
  owner = session.value?.me.id ?? null;
  uploads.value = [...uploads.value, ...added];
  next();
}

const fresh = () => ({
  state: 'waiting', sent: 0, rate: null, dataset: null, progress: null, error: null, control: new AbortController(),
});

/** Take up an upload again that failed; what is there of it is not sent again. */
export function again(item) {
  Object.assign(item, fresh());
  item.changed.value = item;
  next();
}

/** Stop an upload, and have the service forget what is there of it. */
export async function cancel(item) {
  item.control.abort();
  if (!isOver(item)) set(item, { state: 'cancelled' });
  try {
    await giveUp(item.file);
  } catch {
    // It is thrown away by itself after some days.
  }
}

/** Take an upload off the list. */
export function dismiss(item) {
  uploads.value = uploads.value.filter((one) => one !== item);
}

function set(item, changes) {
  Object.assign(item, changes);
  item.changed.value = item;
}

async function next() {
  if (isSending) return;
  const item = uploads.value.find((one) => one.state === 'waiting');
  if (!item) return;
  isSending = true;
  try {
    await bring(item);
  } finally {
    isSending = false;
    next();
  }
}

async function bring(item) {
  const { file, name, imageSize, control } = item;
  const rate = rateOf();
  set(item, { state: 'sending' });
  try {
    const dataset = await transfer(file, {
      name,
      imageSize,
      signal: control.signal,
      onProgress: (sent) => set(item, { sent, rate: rate(sent) }),
      onBreak: (isAway) => set(item, { state: isAway ? 'away' : 'sending' }),
    });
    set(item, { state: 'checking', dataset, sent: file.size });
    // The next one need not wait for that.
    check(item);
  } catch (error) {
    if (error.name !== 'AbortError') set(item, { state: 'failed', error });
  }
}

async function check(item) {
  try {
    const dataset = await follow(item.dataset, {
      signal: item.control.signal,
      onProgress: (progress) => set(item, { progress }),
    });
    set(item, { state: dataset.status, dataset });
  } catch (error) {
    if (error.name !== 'AbortError') set(item, { state: 'failed', error });
  }
}

/** Bytes a second over the last seconds; null until there is something to say. */
function rateOf() {
  const seen = [];
  return (sent) => {
    const now = performance.now();
    seen.push([now, sent]);
    while (seen.length > 2 && now - seen[0][0] > 8000) seen.shift();
    const [then, before] = seen[0];
    return now - then > 500 && sent > before ? ((sent - before) / (now - then)) * 1000 : null;
  };
}

session.subscribe((who) => {
  if (uploads.value.length === 0 || who?.me.id === owner) return;
  // Nobody sees what somebody else has sent, and nothing is sent in somebody else's name.
  for (const item of uploads.value) item.control.abort();
  uploads.value = [];
});

window.addEventListener('beforeunload', (event) => {
  if (uploads.value.some((item) => ['waiting', 'sending', 'away'].includes(item.state))) event.preventDefault();
});
