/** What was sent to a webhook, and how it fared. */

import { get, post } from '../../core/api.js';
import { fill, h } from '../../core/dom.js';
import { number, t, tOr } from '../../core/i18n.js';
import { poll } from '../../core/live.js';
import { button, empty, field, when } from '../../parts/bits.js';
import { select } from '../../parts/form.js';
import { problemBox, toast } from '../../parts/notices.js';

const SHOWN = 20;
const LOOK_AGAIN = 4000;
const TONES = { pending: ['busy', '◐'], delivered: ['ok', '●'], failed: ['danger', '✕'] };

/**
 * Return the deliveries of a webhook, folded.
 *
 * @param {string} path Of the webhook.
 * @param {AbortSignal} signal
 * @returns {{node: HTMLElement, open: function(): void}} `open` unfolds them and looks anew.
 */
export function deliveries(path, signal) {
  const status = select([['', t('admin.any')], ...Object.keys(TONES).map((one) => [one, t(`admin.delivery_${one}`)])], '');
  const rows = h('div');
  const trouble = h('div');
  let cursor = null;
  let items = [];
  let closing = null;

  async function fetched(from) {
    const query = new URLSearchParams({ limit: SHOWN });
    if (status.value) query.set('status', status.value);
    if (from) query.set('cursor', from);
    return get(`${path}/deliveries?${query}`, { signal });
  }
  async function look() {
    const page = await fetched(null);
    // Whoever has gone further back is left where they are.
    if (items.length > SHOWN) return;
    const isSame = JSON.stringify(page.items) === JSON.stringify(items);
    items = page.items;
    cursor = page.next_cursor;
    if (!isSame || !rows.childElementCount) draw();
  }
  async function more() {
    const page = await fetched(cursor);
    items = [...items, ...page.items];
    cursor = page.next_cursor;
    draw();
  }
  const tried = (work) => async () => {
    fill(trouble);
    try {
      await work();
    } catch (error) {
      fill(trouble, problemBox(error));
    }
  };
  const again = (delivery) =>
    tried(async () => {
      await post(`${path}/deliveries/${delivery.id}/replay`, undefined, { once: true });
      toast(t('admin.replayed'));
      await look();
    });
  const allAgain = tried(async () => {
    const { replayed } = await post(`${path}/replay`, undefined, { once: true });
    toast(t('admin.replayed_all', { n: replayed }));
    await look();
  });

  function draw() {
    fill(
      rows,
      items.length === 0 ? empty(t('admin.deliveries_none')) : deliveryTable(items, again),
      cursor && button(t('admin.older'), tried(more), { kind: 'small' }),
    );
  }

  status.addEventListener('change', tried(() => ((items = []), look())));
  const node = h(
    'details',
    { class: 'deliveries' },
    h('summary', null, t('admin.deliveries')),
    h('div', { class: 'filters' }, field(t('admin.state'), status).node, button(t('admin.replay_failed'), allAgain, { kind: 'small' })),
    trouble,
    rows,
  );
  node.addEventListener('toggle', () => {
    closing?.abort();
    if (!node.open) return;
    closing = new AbortController();
    let isFirst = true;
    poll(async () => {
      // The first failure is shown; a later one may be over at the next look.
      if (isFirst) await tried(look)();
      else if (node.isConnected) await look();
      isFirst = false;
    }, LOOK_AGAIN, AbortSignal.any([signal, closing.signal]));
  });
  return {
    node,
    open() {
      if (node.open) tried(look)();
      else node.open = true;
    },
  };
}

function deliveryTable(items, again) {
  const heads = ['event', 'state', 'attempts', 'answer', 'when', 'doings'];
  return h(
    'div',
    { class: 'table-box', tabindex: 0, role: 'region', 'aria-label': t('admin.deliveries') },
    h(
      'table',
      { class: 'table' },
      h('thead', null, h('tr', null, heads.map((one) => h('th', { scope: 'col' }, t(`admin.${one}`))))),
      h('tbody', null, items.map((one) => row(one, again))),
    ),
  );
}

function row(delivery, again) {
  const [tone, mark] = TONES[delivery.status];
  const said = [delivery.last_status_code && `HTTP ${delivery.last_status_code}`, delivery.last_error && tOr(`admin.error_${delivery.last_error}`, delivery.last_error)];
  return h(
    'tr',
    null,
    h('td', null, h('code', null, delivery.type)),
    h('td', null, h('span', { class: ['badge', `badge-${tone}`] }, h('span', { 'aria-hidden': 'true', class: 'badge-mark' }, mark), t(`admin.delivery_${delivery.status}`))),
    h('td', null, t('admin.attempts_of', { n: delivery.attempts, most: delivery.max_attempts }), delivery.next_at && h('span', { class: 'muted small next' }, t('admin.next_at'), ' ', when(delivery.next_at))),
    h('td', null, said.filter(Boolean).join(', ') || '–'),
    h('td', null, when(delivery.created_at)),
    h('td', null, button(t('admin.replay'), again(delivery), { kind: 'small', 'aria-label': t('admin.replay_what', { what: delivery.type, n: number(delivery.attempts) }) })),
  );
}
