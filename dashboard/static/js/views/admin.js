/** Administration: who may come in, what is told to whom, what was used and done, and who works. */

import { h } from '../core/dom.js';
import { loadWords, t } from '../core/i18n.js';
import { empty, linkButton, pageHead } from '../parts/bits.js';
import { may } from '../parts/shell.js';
import { tabs } from '../parts/tabs.js';
import { auditPanel } from './admin/audit.js';
import { keysPanel } from './admin/keys.js';
import { peoplePanel } from './admin/people.js';
import { usagePanel } from './admin/usage.js';
import { webhooksPanel } from './admin/webhooks.js';
import { workersPanel } from './admin/workers.js';

/** Show the tabs; to whoever is no administrator say so. */
export async function view({ signal }) {
  await loadWords('admin');
  const title = t('app.admin');
  if (!may('admin'))
    return { title, node: h('div', { class: 'page' }, pageHead({ title }), empty(t('admin.not_yours'), linkButton(t('app.to_start'), '#/'))) };
  const panels = { keys: keysPanel, people: peoplePanel, webhooks: webhooksPanel, usage: usagePanel, audit: auditPanel, workers: workersPanel };
  const items = Object.entries(panels).map(([id, make]) => ({ id, label: t(`admin.${id}`), make: () => make(signal) }));
  return {
    title,
    node: h('div', { class: 'page admin' }, pageHead({ title, lead: t('admin.lead') }), tabs(title, items).node),
  };
}
