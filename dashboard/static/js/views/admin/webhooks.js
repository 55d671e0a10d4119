/** Webhooks: addresses that are told what happens. */

import { all, del, patch, post } from '../../core/api.js';
import { fill, h } from '../../core/dom.js';
import { date, duration, t, tOr } from '../../core/i18n.js';
import { button, empty, facts, field, section, when } from '../../parts/bits.js';
import { confirm } from '../../parts/dialog.js';
import { askForm, select } from '../../parts/form.js';
import { lazy } from '../../parts/lazy.js';
import { problemBox, toast } from '../../parts/notices.js';
import { deliveries } from './deliveries.js';
import { EVENTS } from './events.js';
import { showSecret } from './secret.js';

const DAY = 86400;
const OVERLAPS = [0, 3600, DAY, 7 * DAY];

/** Show the webhooks. */
export function webhooksPanel(signal) {
  const place = lazy(async () => {
    const webhooks = await all('/v1/webhooks?limit=200', { signal });
    if (webhooks.length === 0) return empty(t('admin.webhooks_none'));
    return h('ul', { class: 'webhooks' }, webhooks.map((webhook) => card(webhook, place.again, signal)));
  });
  const make = async () => {
    const made = await askWebhook(null);
    if (!made) return;
    await place.again();
    await shown(made);
  };
  return section(
    t('admin.webhooks'),
    h('p', { class: 'muted' }, t('admin.webhooks_lead')),
    h('div', { class: 'actions' }, button(t('admin.webhook_new'), make, { kind: 'primary' })),
    place.node,
  );
}

const shown = (made) => showSecret({ title: t('admin.webhook_secret'), label: t('admin.secret'), text: made.secret, about: t('admin.webhook_secret_about') });

function card(webhook, refresh, signal) {
  const path = `/v1/webhooks/${webhook.id}`;
  const trouble = h('div');
  const sent = deliveries(path, signal);
  /** Do something and say what went wrong where it was asked for. */
  const tried = (work) => async () => {
    fill(trouble);
    try {
      await work();
    } catch (error) {
      fill(trouble, problemBox(error));
    }
  };
  const small = (label, work) => button(t(`admin.${label}`), tried(work), { kind: 'small', 'aria-label': t('admin.of', { what: t(`admin.${label}`), which: webhook.url }) });
  const isOff = webhook.disabled_at !== null;
  return h(
    'li',
    { class: 'webhook' },
    h('div', { class: 'webhook-head' }, h('h3', null, webhook.url), stateMark(webhook)),
    webhook.description && h('p', null, webhook.description),
    isOff && webhook.disabled_because !== 'asked' && h('div', { class: 'box box-warn' }, h('p', null, tOr(`admin.disabled_${webhook.disabled_because}`, webhook.disabled_because))),
    facts([
      [t('admin.events'), webhook.events.length ? webhook.events.map((one) => tOr(`admin.event_${one}`, one)).join(', ') : t('admin.events_all')],
      [t('admin.since'), when(webhook.created_at)],
      [t('admin.secrets'), webhook.secrets.map(secretSaid).join(' · ')],
    ]),
    h(
      'div',
      { class: 'actions' },
      !isOff && small('test', async () => {
        await post(`${path}/test`, undefined, { once: true });
        toast(t('admin.test_sent'));
        sent.open();
      }),
      small(isOff ? 'resume' : 'pause', async () => {
        await patch(path, { disabled: !isOff });
        toast(t(isOff ? 'admin.resumed' : 'admin.webhook_paused'));
        await refresh();
      }),
      small('change', async () => {
        if (await askWebhook(webhook)) await refresh();
      }),
      small('rotate_secret', () => rotate(webhook, path, refresh)),
      small('delete', async () => {
        const isDone = await confirm({ title: t('admin.webhook_delete_title'), text: t('admin.webhook_delete_text', { url: webhook.url }), confirm: t('admin.delete'), danger: true, work: () => del(path) });
        if (isDone) await refresh();
      }),
    ),
    trouble,
    sent.node,
  );
}

const secretSaid = ({ created_at: made, expires_at: ends }) => (ends ? t('admin.secret_until', { date: date(ends) }) : t('admin.secret_since', { date: date(made) }));

function stateMark({ disabled_at: off, disabled_because: why }) {
  const [tone, mark, said] = off === null ? ['ok', '●', 'on'] : why === 'asked' ? ['calm', '○', 'off'] : ['danger', '✕', 'broken'];
  return h('span', { class: ['badge', `badge-${tone}`] }, h('span', { 'aria-hidden': 'true', class: 'badge-mark' }, mark), t(`admin.webhook_${said}`));
}

async function rotate(webhook, path, refresh) {
  const overlap = select(OVERLAPS.map((seconds) => [seconds, seconds ? duration(seconds) : t('admin.overlap_none')]), DAY);
  const made = await askForm({
    title: t('admin.rotate_secret'),
    body: [h('p', null, t('admin.rotate_secret_text')), field(t('admin.overlap'), overlap).node],
    submit: t('admin.rotate'),
    work: () => post(`${path}/rotate-secret`, { overlap_seconds: Number(overlap.value) }, { once: true }),
  });
  if (!made) return;
  await refresh();
  await shown(made);
}

/** Ask for a new webhook, or for changes of one. */
function askWebhook(webhook) {
  const url = h('input', { type: 'url', required: true, maxlength: 2000, autocomplete: 'off', placeholder: 'https://portal.example.org/graft', props: { value: webhook?.url ?? '' } });
  const to = field(t('admin.url'), url, { help: t('admin.url_help') });
  const about = h('input', { type: 'text', maxlength: 200, autocomplete: 'off', props: { value: webhook?.description ?? '' } });
  const boxes = EVENTS.map((name) => h('input', { type: 'checkbox', value: name, props: { checked: webhook?.events.includes(name) ?? false } }));
  const events = h(
    'fieldset',
    { class: 'field radios' },
    h('legend', null, t('admin.events')),
    h('p', { class: 'field-help' }, t('admin.events_help')),
    boxes.map((box) => h('label', { class: 'check' }, box, h('span', null, t(`admin.event_${box.value}`), ' ', h('code', { class: 'muted' }, box.value)))),
  );
  return askForm({
    title: t(webhook ? 'admin.webhook_change' : 'admin.webhook_new'),
    body: [to.node, field(t('admin.description'), about).node, events],
    submit: t(webhook ? 'admin.save' : 'admin.webhook_make'),
    work() {
      const asked = { url: url.value.trim(), description: about.value.trim(), events: boxes.filter((box) => box.checked).map((box) => box.value) };
      to.fail(asked.url ? null : t('admin.url_missing'));
      if (!asked.url) {
        url.focus();
        return false;
      }
      return webhook ? patch(`/v1/webhooks/${webhook.id}`, asked) : post('/v1/webhooks', asked, { once: true });
    },
  });
}
