/** The audit trail: who did what, and when; to look through, and to take along. */

import { get } from '../../core/api.js';
import { fill, h } from '../../core/dom.js';
import { date, number, t, tOr } from '../../core/i18n.js';
import { here, setQuery } from '../../core/router.js';
import { button, empty, english, facts, field, linkButton, section } from '../../parts/bits.js';
import { dialog } from '../../parts/dialog.js';
import { copyButton } from '../../parts/copy.js';
import { select } from '../../parts/form.js';
import { lazy } from '../../parts/lazy.js';
import { problemBox } from '../../parts/notices.js';
import { table } from '../../parts/table.js';
import { actorNames } from './actors.js';

const A_PAGE = 100;
const ACTIONS = [
  'dataset.*', 'dataset.create', 'dataset.delete', 'job.*', 'job.submit', 'job.retry', 'job.cancel', 'job.delete', 'job.expire',
  'images.submit', 'artifact.download', 'results.read', 'upload.*', 'key.*', 'key.create', 'key.rotate', 'key.revoke',
  'person.enter', 'session.*', 'webhook.*', 'request.refused', 'workspace.*', 'audit.export',
];
const VERIFY = 'graft audit verify audit.ndjson';

/** Show the trail. */
export function auditPanel(signal) {
  return h('div', { class: 'panel-parts' }, section(t('admin.audit'), h('p', { class: 'muted' }, t('admin.audit_lead')), lazy(async () => trail(await actorNames(signal), signal)).node), alongPart());
}

const alongPart = () =>
  section(
    t('admin.along'),
    h('p', null, t('admin.along_text')),
    h('div', { class: 'actions' }, linkButton(t('admin.along_do'), '/v1/audit/export', { download: 'audit.ndjson' })),
    h('p', null, t('admin.verify_text')),
    h('div', { class: 'command' }, h('code', null, VERIFY), copyButton(t('admin.copy'), () => VERIFY)),
    h('p', { class: 'muted small' }, t('admin.verify_head')),
  );

function trail(names, signal) {
  const { query } = here();
  let lines = [];
  let cursor = null;
  let turn = 0;
  const action = select([['', t('admin.any')], ...ACTIONS.map((one) => [one, actionSaid(one)])], query.get('action') ?? '');
  const actor = select([['', t('admin.anybody')], ...[...names].map(([id, name]) => [id, name])], query.get('actor') ?? '');
  const from = h('input', { type: 'date', props: { value: query.get('from') ?? '' } });
  const to = h('input', { type: 'date', props: { value: query.get('to') ?? '' } });
  const trouble = h('div');
  const foot = h('div', { class: 'table-foot' });
  const list = lineTable(names);

  async function look(isMore) {
    const mine = ++turn;
    const asked = new URLSearchParams({ limit: A_PAGE });
    if (action.value) asked.set('action', action.value);
    if (actor.value) asked.set('actor', actor.value);
    if (from.value) asked.set('from', new Date(`${from.value}T00:00`).toISOString());
    if (to.value) asked.set('to', dayAfter(to.value));
    if (isMore) asked.set('cursor', cursor);
    fill(trouble);
    try {
      const page = await get(`/v1/audit?${asked}`, { signal });
      if (mine !== turn) return;
      lines = isMore ? [...lines, ...page.items] : page.items;
      cursor = page.next_cursor;
      list.set(lines);
      fill(foot, h('p', { class: 'muted small', role: 'status' }, t('admin.lines', { n: lines.length })), cursor && button(t('admin.older'), () => look(true), { kind: 'small' }));
    } catch (error) {
      if (error.name !== 'AbortError') fill(trouble, problemBox(error, () => look(isMore)));
    }
  }
  const changed = () => {
    setQuery({ action: action.value, actor: actor.value, from: from.value, to: to.value });
    look(false);
  };
  for (const one of [action, actor, from, to]) one.addEventListener('change', changed);
  look(false);
  return [
    h('div', { class: 'filters' }, field(t('admin.action'), action).node, field(t('admin.who'), actor).node, field(t('admin.from'), from).node, field(t('admin.to'), to).node),
    trouble,
    list.node,
    foot,
  ];
}

/** The end of a day, which counts with it. */
function dayAfter(day) {
  const end = new Date(`${day}T00:00`);
  end.setDate(end.getDate() + 1);
  return end.toISOString();
}

const actionSaid = (action) => tOr(`admin.action_${action.replace('*', 'all')}`, action);

const lineTable = (names) =>
  table({
    label: t('admin.audit_lines'),
    key: (line) => String(line.number),
    empty: empty(t('admin.audit_none')),
    columns: [
      { id: 'number', label: t('admin.number'), number: true, cell: (line) => number(line.number) },
      { id: 'at', label: t('admin.when'), cell: (line) => h('time', { datetime: line.at }, date(line.at)) },
      { id: 'who', label: t('admin.who'), cell: (line) => names.get(line.actor) ?? h('code', null, line.actor) },
      { id: 'action', label: t('admin.action'), wide: true, cell: (line) => actionSaid(line.action) },
      { id: 'subject', label: t('admin.about'), cell: (line) => h('code', null, line.subject) },
      { id: 'more', label: t('admin.detail'), cell: (line) => button(t('admin.detail'), () => lineShown(line, names), { kind: 'small', 'aria-label': t('admin.detail_of', { n: line.number }) }) },
    ],
  });

function lineShown(line, names) {
  const done = h('button', { type: 'button', class: 'button button-primary' }, t('app.close'));
  const hash = (text) => h('code', null, text);
  const { close } = dialog({
    title: t('admin.line', { n: line.number }),
    wide: true,
    body: [
      facts([
        [t('admin.action'), [actionSaid(line.action), ' ', h('code', null, line.action)]],
        [t('admin.who'), [names.get(line.actor) ?? '', ' ', h('code', null, line.actor)]],
        [t('admin.about'), h('code', null, line.subject)],
        [t('admin.when'), h('code', null, line.at)],
      ]),
      Object.keys(line.detail).length > 0 && h('pre', { tabindex: 0, 'aria-label': t('admin.detail') }, english(JSON.stringify(line.detail, null, 2))),
      h('dl', { class: 'hashes' }, h('div', null, h('dt', null, t('admin.hash')), h('dd', null, hash(line.hash))), h('div', null, h('dt', null, t('admin.prev_hash')), h('dd', null, hash(line.prev_hash)))),
    ],
    actions: [done],
  });
  done.addEventListener('click', close);
}
