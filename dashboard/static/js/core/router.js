/**
 * Which view is shown. Addresses are `#/jobs/ID?status=failed`: the service hands out one page and
 * knows none of them.
 */

import { h, fill } from './dom.js';
import { t } from './i18n.js';

const routes = [];
// Views put it into addresses of the API: what could lead to another call there is no id.
const ID = '([\\w-]+)';
let leaving = null;
let shown = 0;

/**
 * Say what is shown at an address.
 *
 * @param {string} pattern `/jobs/:id`, of which an id has letters, digits, `_` and `-`.
 * @param {function(): Promise<{view: function}>} load Imports the view's module: its `view` is
 *   called with `{params, query, signal}` and returns (a promise of) `{title, node}`. `signal` is
 *   aborted when another view is shown; everything that goes on by itself ends with it.
 */
export function route(pattern, load) {
  const names = [];
  const source = pattern.replace(/:(\w+)/g, (_, name) => (names.push(name), ID));
  routes.push({ expression: new RegExp(`^${source}$`), names, load });
}

/** The address that is shown: its path, and its query. */
export function here() {
  const [path, query] = location.hash.slice(1).split('?');
  return { path: path || '/', query: new URLSearchParams(query ?? '') };
}

/** Show another address. */
export function go(address, { replace = false } = {}) {
  if (replace) {
    history.replaceState(null, '', `#${address}`);
    window.dispatchEvent(new HashChangeEvent('hashchange'));
  } else location.hash = address;
}

/** Change the query of this address without showing the view anew: filters, tabs. */
export function setQuery(changes) {
  const { path, query } = here();
  for (const [name, value] of Object.entries(changes))
    if (value === null || value === undefined || value === '') query.delete(name);
    else query.set(name, value);
  const text = query.toString();
  history.replaceState(null, '', `#${path}${text ? `?${text}` : ''}`);
}

/**
 * Show what the address says, now and whenever it changes.
 *
 * @param {HTMLElement} outlet
 * @param {{elsewhere: function(): (string|null), onShown: function(string, string): void,
 *   failed: function(Error): Node}} options `elsewhere` gives another address where this one is not
 *   to be shown; `onShown` is given path and title; `failed` makes what is shown in place of a view
 *   that could not be.
 */
export function start(outlet, { elsewhere, onShown, failed }) {
  const show = async () => {
    leaving?.abort();
    const other = elsewhere();
    if (other !== null) {
      go(other, { replace: true });
      return;
    }
    leaving = new AbortController();
    const turn = ++shown;
    const { path, query } = here();
    const waiting = setTimeout(() => {
      if (turn === shown) fill(outlet, h('div', { role: 'status' }, h('h1', { class: 'waiting' }, t('app.loading'))));
    }, 300);
    let found;
    try {
      found = await find(path, query, leaving.signal);
    } catch (error) {
      if (error.name === 'AbortError') return;
      found = { title: t('app.failed'), node: failed(error) };
    } finally {
      clearTimeout(waiting);
    }
    if (turn !== shown) return;
    fill(outlet, found.node);
    document.title = `${found.title} – Graft`;
    onShown(path, found.title);
  };
  window.addEventListener('hashchange', show);
  return show;
}

async function find(path, query, signal) {
  for (const { expression, names, load } of routes) {
    const match = expression.exec(path);
    if (!match) continue;
    const params = Object.fromEntries(names.map((name, i) => [name, match[i + 1]]));
    const { view } = await load();
    return view({ params, query, signal });
  }
  const title = t('app.nothing_here');
  return {
    title,
    node: h('div', { class: 'page' }, h('h1', null, title), h('p', null, h('a', { href: '#/' }, t('app.to_start')))),
  };
}
