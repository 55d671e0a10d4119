/** What may be used, what is used, and by whom. */

import { get, patch } from '../../core/api.js';
import { h } from '../../core/dom.js';
import { bytes, date, duration, language, number, t } from '../../core/i18n.js';
import { button, empty, field, progressBar, section } from '../../parts/bits.js';
import { chart } from '../../parts/chart.js';
import { askForm } from '../../parts/form.js';
import { lazy } from '../../parts/lazy.js';
import { actorNames } from './actors.js';

const CHOSEN = ['requests_per_minute', 'upload_bytes_per_day', 'unfinished_jobs', 'gpu_minutes_per_day', 'gpu_minutes_per_month'];
const KINDS = { gpu_seconds: duration, cpu_seconds: duration, upload_bytes: bytes };
const DAYS = 30;
const DAY = 86400000;

/** Show limits and usage. */
export function usagePanel(signal) {
  const limits = lazy(async () => limitsShown((await get('/v1/limits', { signal })).items));
  const change = async () => {
    const { items } = await get('/v1/limits', { signal });
    if (await askLimits(items)) await limits.again();
  };
  const usage = lazy(async () => {
    const [{ items }, names] = await Promise.all([get('/v1/usage', { signal }), actorNames(signal)]);
    return usageShown(items, names);
  });
  return h(
    'div',
    { class: 'panel-parts' },
    section(t('admin.limits'), h('p', { class: 'muted' }, t('admin.limits_lead')), limits.node, h('div', { class: 'actions' }, button(t('admin.limits_lower'), change, { kind: 'small' }))),
    section(t('admin.used'), h('p', { class: 'muted' }, t('admin.used_lead')), usage.node),
  );
}

const amountOf = (name) => (name.startsWith('upload_bytes') ? bytes : (n) => number(n, 1));

function limitsShown(items) {
  if (items.length === 0) return empty(t('admin.limits_none'));
  return h(
    'ul',
    { class: 'limits' },
    items.map(({ name, scope, limit, used, frees_at: frees }) => {
      const label = t(`admin.limit_${name}`);
      const bar = progressBar(label);
      const amount = amountOf(name);
      const said = t('admin.used_of', { used: amount(used), limit: amount(limit) });
      // That a minute is over in a minute need not be said.
      const isTold = frees && used > 0 && (used >= limit || name !== 'requests_per_minute');
      bar.set(Math.min(1, used / limit), isTold ? `${said} · ${t('admin.frees', { when: date(frees) })}` : said);
      return h('li', { class: used >= limit && 'limit-full' }, h('div', { class: 'limit-head' }, h('strong', null, label), h('span', { class: 'muted small' }, t(`admin.limit_of_${scope}`))), bar.node);
    }),
  );
}

function askLimits(items) {
  const now = new Map(items.filter((one) => one.scope === 'workspace').map((one) => [one.name, one.limit]));
  const fields = CHOSEN.map((name) => {
    const input = h('input', { type: 'number', min: 1, step: 1, inputmode: 'numeric', autocomplete: 'off', placeholder: now.has(name) ? String(now.get(name)) : t('admin.unlimited') });
    return { name, input, asked: field(t(`admin.limit_${name}`), input) };
  });
  return askForm({
    title: t('admin.limits_lower'),
    body: [h('p', null, t('admin.limits_lower_text')), fields.map((one) => one.asked.node)],
    submit: t('admin.save'),
    work() {
      const limits = {};
      let isRight = true;
      for (const { name, input, asked } of fields) {
        const isWhole = Number.isInteger(input.valueAsNumber) && input.valueAsNumber >= 1;
        const isEmpty = input.value === '' && !input.validity.badInput;
        asked.fail(isEmpty || isWhole ? null : t('admin.whole_number'));
        isRight &&= isEmpty || isWhole;
        if (isWhole) limits[name] = input.valueAsNumber;
      }
      return isRight && patch('/v1/limits', { limits });
    },
  });
}

function usageShown(items, names) {
  if (items.length === 0) return empty(t('admin.used_nothing'));
  const kinds = Object.keys(KINDS).filter((kind) => items.some((one) => one.kind === kind));
  return [usageChart(items), whoTable(items, kinds, names), dayTable(items, kinds)];
}

function usageChart(items) {
  const end = Math.floor(Date.now() / DAY);
  const days = Array.from({ length: DAYS + 1 }, (_, i) => end - DAYS + i);
  const dayOf = (n) => new Intl.DateTimeFormat(language.value, { month: 'short', day: 'numeric', timeZone: 'UTC' }).format(new Date(n * DAY));
  const minutes = (kind) => days.map((day) => ({ x: day, y: sum(items, (one) => one.kind === kind && Date.parse(one.day) === day * DAY) / 60 }));
  const series = ['gpu_seconds', 'cpu_seconds'].map((kind) => ({ id: kind, label: t(`admin.kind_${kind}`), points: minutes(kind) }));
  const total = (kind) => duration(sum(items, (one) => one.kind === kind));
  return chart({
    title: t('admin.used_chart'),
    summary: t('admin.used_summary', { gpu: total('gpu_seconds'), cpu: total('cpu_seconds') }),
    x: { label: t('admin.day'), format: dayOf, ticks: days.filter((_, i) => i % 5 === 0) },
    y: { label: t('admin.minutes'), format: (n) => number(n, 1) },
    series,
    height: 240,
  }).node;
}

const sum = (items, fits) => items.reduce((total, one) => total + (fits(one) ? one.amount : 0), 0);

const whoTable = (items, kinds, names) =>
  sumTable(t('admin.used_by'), t('admin.who'), kinds, [...new Set(items.map((one) => one.actor))], (actor) => names.get(actor) ?? actor ?? t('admin.together'), (actor, kind) => sum(items, (one) => one.actor === actor && one.kind === kind));

const dayTable = (items, kinds) =>
  h(
    'details',
    { class: 'more' },
    h('summary', null, t('admin.by_day')),
    sumTable(t('admin.by_day'), t('admin.day'), kinds, [...new Set(items.map((one) => one.day))].sort().reverse(), (day) => day, (day, kind) => sum(items, (one) => one.day === day && one.kind === kind)),
  );

function sumTable(title, first, kinds, rows, nameOf, amount) {
  return h(
    'div',
    { class: 'table-box', tabindex: 0, role: 'region', 'aria-label': title },
    h(
      'table',
      { class: 'table' },
      h('caption', { class: 'table-caption' }, title),
      h('thead', null, h('tr', null, h('th', { scope: 'col' }, first), kinds.map((kind) => h('th', { scope: 'col', class: 'num' }, t(`admin.kind_${kind}`))))),
      h('tbody', null, rows.map((row) => h('tr', null, h('th', { scope: 'row' }, nameOf(row)), kinds.map((kind) => h('td', { class: 'num' }, KINDS[kind](amount(row, kind))))))),
    ),
  );
}

