/** The public API, asked with the browser's session. */

import { signal } from './signal.js';

/** Whom the service takes us for; null: nobody. Holds `csrf_token`, `expires_at` and `me`. */
export const session = signal(null);

/** An answer that is a problem document (RFC 9457), or no answer at all (status 0). */
export class ApiError extends Error {
  constructor(status, problem, headers) {
    super(problem.detail ?? problem.title ?? `HTTP ${status}`);
    this.status = status;
    this.code = problem.code ?? 'unknown';
    this.hint = problem.hint ?? '';
    this.problem = problem;
    this.retryAfter = Number(headers?.get('Retry-After')) || null;
  }
}

const SAFE = new Set(['GET', 'HEAD']);

/**
 * Ask the API.
 *
 * @param {string} method
 * @param {string} path Below the origin: `/v1/jobs`.
 * @param {{body?: any, headers?: object, signal?: AbortSignal, once?: boolean|string}} [options]
 *   `once`: send an `Idempotency-Key`, one of its own or the given one.
 * @returns {Promise<{status: number, body: any, headers: Headers}>}
 * @throws {ApiError}
 */
export async function ask(method, path, { body, headers = {}, signal: until, once } = {}) {
  const sent = new Headers({ Accept: 'application/json', ...headers });
  if (body !== undefined) sent.set('Content-Type', 'application/json');
  if (once) sent.set('Idempotency-Key', once === true ? randomId() : once);
  if (!SAFE.has(method) && session.value) sent.set('Graft-CSRF', session.value.csrf_token);
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: until,
      credentials: 'same-origin',
    });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, { code: 'unreachable' });
  }
  // Nothing is said with it, though the header may say that it is JSON.
  const isJson = answer.status !== 204 && /[/+]json/.test(answer.headers.get('Content-Type') ?? '');
  const found = isJson ? await answer.json() : await answer.text();
  if (!answer.ok) throw failure(answer.status, isJson ? found : {}, answer.headers);
  return { status: answer.status, body: found, headers: answer.headers };
}

/** An error, having noted that we are signed in no more. */
function failure(status, problem, headers) {
  // Signing in is refused with 401, too; then nobody was signed in.
  if (status === 401 && session.value) session.value = null;
  return new ApiError(status, problem, headers);
}

/** Return the body of a GET. */
export const get = async (path, options) => (await ask('GET', path, options)).body;
/** Return the body of a POST. */
export const post = async (path, body, options) => (await ask('POST', path, { ...options, body })).body;
/** Return the body of a PATCH. */
export const patch = async (path, body, options) => (await ask('PATCH', path, { ...options, body })).body;
/** Return the body of a DELETE. */
export const del = async (path, options) => (await ask('DELETE', path, options)).body;

/**
 * Give a list's items, page by page.
 *
 * @param {string} path With its query, without `cursor`.
 */
export async function* pages(path, options) {
  const join = path.includes('?') ? '&' : '?';
  let cursor = null;
  do {
    const next = cursor === null ? path : `${path}${join}cursor=${encodeURIComponent(cursor)}`;
    const page = await get(next, options);
    yield page.items;
    cursor = page.next_cursor;
  } while (cursor !== null && cursor !== undefined);
}

/** Return all items of a list, at most so many. */
export async function all(path, { most = 1000, ...options } = {}) {
  const items = [];
  for await (const page of pages(path, options)) {
    items.push(...page);
    if (items.length >= most) break;
  }
  return items.slice(0, most);
}

/**
 * Send a file and tell how far it is; `fetch` cannot tell.
 *
 * @param {string} method
 * @param {string} path
 * @param {Blob} file
 * @param {{type?: string, headers?: object, onProgress?: function(number): void,
 *   signal?: AbortSignal}} options `onProgress` is told the bytes that are sent.
 * @returns {Promise<{status: number, body: any}>}
 * @throws {ApiError}
 */
export function send(method, path, file, { type, headers = {}, onProgress, signal: until } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    request.setRequestHeader('Accept', 'application/json');
    request.setRequestHeader('Content-Type', type ?? 'application/octet-stream');
    if (session.value) request.setRequestHeader('Graft-CSRF', session.value.csrf_token);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener('progress', (event) => onProgress?.(event.loaded));
    request.addEventListener('error', () => reject(new ApiError(0, { code: 'unreachable' })));
    request.addEventListener('abort', () => reject(new DOMException('aborted', 'AbortError')));
    request.addEventListener('load', () => {
      let body = {};
      try {
        body = JSON.parse(request.responseText);
      } catch {
        // An answer without a body, or of a proxy.
      }
      const retry = new Headers();
      const after = request.getResponseHeader('Retry-After');
      if (after) retry.set('Retry-After', after);
      if (request.status >= 200 && request.status < 300) resolve({ status: request.status, body });
      else reject(failure(request.status, body, retry));
    });
    until?.addEventListener('abort', () => request.abort(), { once: true });
    request.send(file);
  });
}

/** Return 128 random bits, hex; also where the page did not come by https. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
