/** The jobs of the table: fetched page by page, and kept as they are. */

import { get } from '../../core/api.js';
import { poll } from '../../core/live.js';
import { isOver, Row } from './rows.js';

// Few enough to be there at once; the rest comes when somebody scrolls that far.
const FIRST = 100;
const NEXT = 200;
const LOOK_EVERY = 4000; // milliseconds
// How many are looked at by themselves each time: those that go on, but are not among the newest.
const LOOKED_AT = 20;

/**
 * @param {{onRows: function(): void, onState: function('loading'|'ready'|'failed', Error=): void,
 *   signal: AbortSignal}} options `onRows` is called when there are other rows than before.
 * @returns {object} `start(query)` shows a list from its beginning, `more()` fetches the next page,
 *   `rows()`, `hasMore()`, and `put(job)` and `remove(id)` for what was done here.
 */
export function feed({ onRows, onState, signal }) {
  const rows = new Map(); // id → Row, the newest first
  let query = new URLSearchParams();
  let cursor = null;
  let turn = new AbortController();
  let isFetching = false;

  const list = (limit, at) => {
    const asked = new URLSearchParams(query);
    asked.set('limit', limit);
    if (at) asked.set('cursor', at);
    return get(`/v1/jobs?${asked}`, { signal: turn.signal });
  };

  async function fetchPage(limit, at) {
    const mine = turn;
    isFetching = true;
    onState('loading');
    try {
      const page = await list(limit, at);
      cursor = page.next_cursor;
      for (const job of page.items) if (!rows.get(job.id)?.update(job)) rows.set(job.id, rows.get(job.id) ?? new Row(job));
      onState('ready');
      onRows();
    } catch (error) {
      if (error.name !== 'AbortError') onState('failed', error);
    } finally {
      if (mine === turn) isFetching = false;
    }
  }

  /** Put new jobs in front, and take what has become of the others. */
  function take(items) {
    const fresh = items.filter((job) => !rows.has(job.id));
    for (const job of items) rows.get(job.id)?.update(job);
    if (!fresh.length) return false;
    const old = [...rows];
    rows.clear();
    for (const job of fresh) rows.set(job.id, new Row(job));
    for (const [id, row] of old) rows.set(id, row);
    return true;
  }

  async function look() {
    if (isFetching) return;
    const mine = turn;
    try {
      await lookAt(mine);
    } catch (error) {
      // Given up for another list, which has to be looked at as well; only who leaves ends it all.
      if (mine === turn) throw error;
    }
  }

  async function lookAt(mine) {
    const status = query.get('status');
    const page = await list(50);
    if (mine !== turn) return;
    const seen = new Set(page.items.map((job) => job.id));
    let isOther = take(page.items);
    const others = [...rows.values()].filter((row) => !seen.has(row.id) && !isOver(row.job)).slice(0, LOOKED_AT);
    await Promise.all(
      others.map(async (row) => {
        try {
          row.update(await get(`/v1/jobs/${row.id}`, { signal: mine.signal }));
        } catch (error) {
          if (error.status !== 404) throw error;
          rows.delete(row.id);
          isOther = true;
        }
      }),
    );
    if (mine !== turn) return;
    // What has left the state that is asked for leaves the list.
    for (const row of [...rows.values()]) if (status && row.job.status !== status) isOther = rows.delete(row.id) || isOther;
    if (isOther) onRows();
  }

  signal.addEventListener('abort', () => turn.abort());
  poll(look, LOOK_EVERY, signal);

  return {
    async start(next) {
      turn.abort();
      turn = new AbortController();
      query = next;
      cursor = null;
      rows.clear();
      await fetchPage(FIRST, null);
    },
    async more() {
      if (cursor && !isFetching) await fetchPage(NEXT, cursor);
    },
    rows: () => [...rows.values()],
    hasMore: () => cursor !== null && cursor !== undefined,
    put: (job) => rows.get(job.id)?.update(job),
    remove(id) {
      rows.delete(id);
      onRows();
    },
  };
}
