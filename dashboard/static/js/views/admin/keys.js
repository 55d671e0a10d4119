/** API keys: made, replaced and revoked. */

import { all, del, post, session } from '../../core/api.js';
import { h } from '../../core/dom.js';
import { date, duration, t } from '../../core/i18n.js';
import { button, empty, field, section, when } from '../../parts/bits.js';
import { confirm } from '../../parts/dialog.js';
import { askForm, radios, select } from '../../parts/form.js';
import { lazy } from '../../parts/lazy.js';
import { toast } from '../../parts/notices.js';
import { table } from '../../parts/table.js';
import { showSecret } from './secret.js';

const DAY = 86400;
const LASTS = [30, 90, 365];
const SCOPES = ['reader', 'researcher', 'admin'];
const OVERLAPS = [0, 3600, DAY, 7 * DAY, 30 * DAY];
/** From so many days before its end a key is marked. */
const SOON = 14;

/** Show the keys. */
export function keysPanel(signal) {
  let keys = [];
  const list = keyTable({ rotate, revoke });
  const withOld = h('input', { type: 'checkbox' });
  const show = () => list.set(keys.filter((key) => withOld.checked || stateOf(key) === 'active' || stateOf(key) === 'ends_soon'));
  withOld.addEventListener('change', show);
  const place = lazy(async () => {
    keys = await all('/v1/keys?limit=200', { signal });
    show();
    return [h('label', { class: 'check' }, withOld, t('admin.keys_old')), list.node];
  });

  async function make() {
    const made = await askKey();
    if (!made) return;
    await place.again();
    await shown(made, 'admin.key_made');
  }

  async function rotate(key) {
    const overlap = select(OVERLAPS.map((seconds) => [seconds, seconds ? duration(seconds) : t('admin.overlap_none')]), DAY);
    const made = await askForm({
      title: t('admin.rotate_title', { name: key.name }),
      body: [h('p', null, t('admin.rotate_text')), field(t('admin.overlap'), overlap).node],
      submit: t('admin.rotate'),
      work: () => post(`/v1/keys/${key.id}/rotate`, { overlap_seconds: Number(overlap.value) }, { once: true }),
    });
    if (!made) return;
    await place.again();
    await shown(made, 'admin.key_rotated');
  }

  async function revoke(key) {
    const isDone = await confirm({
      title: t('admin.revoke_title', { name: key.name }),
      text: t(isOwn(key) ? 'admin.revoke_own' : 'admin.revoke_text'),
      confirm: t('admin.revoke'),
      danger: true,
      work: () => del(`/v1/keys/${key.id}`),
    });
    if (!isDone) return;
    toast(t('admin.revoked', { name: key.name }));
    await place.again();
  }

  return section(
    t('admin.keys'),
    h('p', { class: 'muted' }, t('admin.keys_lead')),
    h('div', { class: 'actions' }, button(t('admin.key_new'), make, { kind: 'primary' })),
    place.node,
  );
}

const isOwn = (key) => session.value?.me.id === key.id;

const shown = (made, title) => showSecret({ title: t(title, { name: made.name }), label: t('app.key'), text: made.key, about: t('admin.key_about') });

function askKey() {
  const name = h('input', { type: 'text', required: true, maxlength: 200, autocomplete: 'off' });
  const named = field(t('admin.key_name'), name, { help: t('admin.key_name_help') });
  const scope = radios(t('admin.scope'), 'scope', SCOPES.map((value) => ({ value, label: t(`admin.scope_${value}`), help: t(`admin.scope_${value}_means`) })), 'researcher');
  const lasts = select([...LASTS.map((days) => [days, duration(days * DAY)]), ['', t('admin.for_good')]], 365);
  return askForm({
    title: t('admin.key_new'),
    body: [named.node, scope.node, field(t('admin.lasts'), lasts, { help: t('admin.lasts_help') }).node],
    submit: t('admin.key_make'),
    work() {
      const wanted = name.value.trim();
      named.fail(wanted ? null : t('admin.name_missing'));
      if (!wanted) {
        name.focus();
        return false;
      }
      const ends = lasts.value ? new Date(Date.now() + Number(lasts.value) * DAY * 1000).toISOString() : null;
      return post('/v1/keys', { name: wanted, scopes: [scope.value()], expires_at: ends }, { once: true });
    },
  });
}

function stateOf(key) {
  const left = key.expires_at ? new Date(key.expires_at) - Date.now() : Infinity;
  if (key.revoked_at && new Date(key.revoked_at) <= Date.now()) return 'revoked';
  if (left <= 0) return 'expired';
  return left < SOON * DAY * 1000 ? 'ends_soon' : 'active';
}

const TONES = { active: ['ok', '●'], ends_soon: ['warn', '▲'], expired: ['calm', '○'], revoked: ['calm', '✕'] };

function stateMark(key) {
  const state = stateOf(key);
  const [tone, mark] = TONES[state];
  return h('span', { class: ['badge', `badge-${tone}`] }, h('span', { 'aria-hidden': 'true', class: 'badge-mark' }, mark), t(`admin.key_${state}`));
}

function keyTable({ rotate, revoke }) {
  const name = (key) => [key.name, isOwn(key) && h('span', { class: 'badge own' }, t('admin.key_own'))];
  const doings = (key) =>
    ['active', 'ends_soon'].includes(stateOf(key)) &&
    h(
      'div',
      { class: 'actions' },
      button(t('admin.rotate'), () => rotate(key), { kind: 'small', 'aria-label': t('admin.rotate_what', { name: key.name }) }),
      button(t('admin.revoke'), () => revoke(key), { kind: 'small', 'aria-label': t('admin.revoke_what', { name: key.name }) }),
    );
  return table({
    label: t('admin.key_list'),
    key: (key) => key.id,
    rowHeight: 50,
    empty: empty(t('admin.keys_none')),
    columns: [
      { id: 'name', label: t('admin.name'), wide: true, sort: (key) => key.name, cell: name },
      { id: 'prefix', label: t('admin.begins'), cell: (key) => h('code', null, `graft_${key.prefix}…`) },
      { id: 'scope', label: t('admin.scope'), sort: (key) => SCOPES.findIndex((one) => key.scopes.includes(one)), cell: (key) => t(`admin.scope_${SCOPES.findLast((one) => key.scopes.includes(one))}`) },
      { id: 'state', label: t('admin.state'), sort: stateOf, cell: stateMark },
      { id: 'used', label: t('admin.last_used'), sort: (key) => key.last_used_at ?? '', cell: (key) => when(key.last_used_at) },
      { id: 'expires', label: t('admin.expires'), sort: (key) => key.expires_at ?? '9', cell: (key) => (key.expires_at ? date(key.expires_at) : t('admin.for_good')) },
      { id: 'doings', label: t('admin.doings'), cell: doings },
    ],
  });
}
