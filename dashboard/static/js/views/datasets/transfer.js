/**
 * Bringing one archive to the service: a small one at once, a large one in parts that go on after a
 * break of the network, and after the page was closed when the same file is chosen again.
 */

import { ask, randomId, send } from '../../core/api.js';
import { sleep } from '../../core/live.js';
import { hex, Sha256, sha256 } from '../../core/sha256.js';

const MIB = 2 ** 20;
/** Above this a file goes in parts. */
const LARGE = 32 * MIB;
const PART = 8 * MIB;
const MOST_PARTS = 10000;
/** So much is hashed before the page may react again: some ten milliseconds' worth. */
const BITE = 2 * MIB;
const TRIES = 10;
const PASSING = new Set([0, 408, 425, 500, 502, 503, 504]);

/**
 * Upload a file and have a data set made of it.
 *
 * @param {File} file
 * @param {{name: string, imageSize: number, signal: AbortSignal,
 *   onProgress: function(number): void, onBreak: function(boolean): void}} options `onProgress` is
 *   told how many bytes are there; `onBreak` whether we wait for a network that is away.
 * @returns {Promise<object>} The data set, as the API answers it.
 * @throws {ApiError} DOMException when it was cancelled, or when the file can be read no more.
 */
export function transfer(file, options) {
  return file.size > LARGE ? inParts(file, options) : atOnce(file, options);
}

async function atOnce(file, { name, imageSize, signal, onProgress, onBreak }) {
  const path = `/v1/datasets?${new URLSearchParams({ name, image_size: imageSize })}`;
  // With one key, a try whose answer was lost and its repetition make one data set.
  const headers = { 'Idempotency-Key': randomId() };
  const { body } = await persist(
    () => send('POST', path, file, { type: typeOf(file), headers, onProgress, signal }),
    { signal, onBreak },
  );
  return body;
}

async function inParts(file, { name, imageSize, signal, onProgress, onBreak }) {
  const keeper = { signal, onBreak };
  const mark = await markOf(file);
  const upload = (await begunBefore(mark, file, keeper)) ?? (await begin(mark, file, keeper));
  const there = new Map((upload.parts ?? []).map((part) => [part.number, part.sha256]));
  const whole = new Sha256();
  const read = async (number) => {
    const from = (number - 1) * upload.part_size;
    const bytes = new Uint8Array(await file.slice(from, from + upload.part_size).arrayBuffer());
    await takeIn(whole, bytes, signal);
    return { from, bytes, digest: await sha256(bytes) };
  };
  let coming = read(1);
  for (let number = 1; number <= upload.part_count; number += 1) {
    const { from, bytes, digest } = await coming;
    if (number < upload.part_count) {
      // Hashed while this one is sent.
      coming = read(number + 1);
      coming.catch(() => {});
    }
    // What came before the break counts if it is still the same.
    if (there.get(number) !== hex(digest)) await sendPart(upload, number, bytes, digest, (sent) => onProgress(from + sent), keeper);
    onProgress(from + bytes.length);
  }
  const query = new URLSearchParams({ upload_id: upload.id, sha256: hex(whole.bytes()), name, image_size: imageSize });
  const once = randomId();
  const { body } = await persist(() => ask('POST', `/v1/datasets?${query}`, { once, signal }), keeper);
  localStorage.removeItem(mark);
  return body;
}

async function sendPart(upload, number, bytes, digest, onProgress, keeper) {
  const path = `/v1/uploads/${upload.id}/parts/${number}`;
  const headers = { 'Content-Digest': `sha-256=:${btoa(String.fromCharCode(...digest))}:` };
  const type = 'application/octet-stream';
  await persist(
    () => send('PUT', path, new Blob([bytes]), { type, headers, onProgress, signal: keeper.signal }),
    keeper,
  );
}

async function begin(mark, file, keeper) {
  const smallest = Math.ceil(file.size / MOST_PARTS);
  const asked = { size: file.size, media_type: typeOf(file), part_size: Math.max(PART, smallest) };
  const once = randomId();
  const { body } = await persist(() => ask('POST', '/v1/uploads', { body: asked, once, signal: keeper.signal }), keeper);
  localStorage.setItem(mark, body.id);
  return body;
}

/** An upload of this file that was begun and not finished, with the parts that are there. */
async function begunBefore(mark, file, keeper) {
  const id = localStorage.getItem(mark);
  if (!id) return null;
  try {
    const { body } = await persist(() => ask('GET', `/v1/uploads/${encodeURIComponent(id)}`, { signal: keeper.signal }), keeper);
    if (body.status === 'open' && body.size === file.size) return body;
  } catch (error) {
    // Thrown away meanwhile, or another workspace's.
    if (error.status !== 404) throw error;
  }
  localStorage.removeItem(mark);
  return null;
}

/** Give an upload in parts up: what is there of it is deleted. */
export async function giveUp(file) {
  const mark = await markOf(file);
  const id = localStorage.getItem(mark);
  if (!id) return;
  localStorage.removeItem(mark);
  await ask('DELETE', `/v1/uploads/${encodeURIComponent(id)}`);
}

/** Under what an unfinished upload is kept. The file's name may be a patient's: its hash will do. */
async function markOf(file) {
  const said = new TextEncoder().encode(`${file.name}\n${file.size}\n${file.lastModified}`);
  return `graft.upload.${hex(await sha256(said))}`;
}

async function takeIn(whole, bytes, signal) {
  for (let at = 0; at < bytes.length; at += BITE) {
    signal.throwIfAborted();
    whole.update(bytes.subarray(at, at + BITE));
    await new Promise((resolve) => setTimeout(resolve));
  }
}

/** Do something again as long as what hinders it may pass. */
async function persist(work, { signal, onBreak }) {
  for (let attempt = 1; ; attempt += 1) {
    signal.throwIfAborted();
    try {
      const found = await work();
      if (attempt > 1) onBreak(false);
      return found;
    } catch (error) {
      const isBusy = error.status === 429 && error.retryAfter !== null && error.retryAfter <= 60;
      const isDamaged = error.code === 'digest_mismatch' && attempt < 3;
      if (attempt === TRIES || !(PASSING.has(error.status) || isBusy || isDamaged)) throw error;
      onBreak(true);
      const seconds = error.retryAfter ?? Math.min(2 ** (attempt - 1), 30);
      await Promise.race([sleep(seconds * 1000, signal), isBusy ? new Promise(() => {}) : isOnline(signal)]);
    }
  }
}

/** Return a promise of the moment in which the network comes back. */
const isOnline = (signal) =>
  new Promise((resolve) => window.addEventListener('online', resolve, { once: true, signal }));

/** What kind of archive it is; the service looks at its first bytes all the same. */
function typeOf(file) {
  const name = file.name.toLowerCase();
  if (/\.t?gz$/.test(name)) return 'application/gzip';
  if (name.endsWith('.tar')) return 'application/x-tar';
  return 'application/zip';
}
