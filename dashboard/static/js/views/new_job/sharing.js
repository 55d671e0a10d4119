/** A job as text, for whoever submits it without this page: JSON, curl, the command line. */

import { fill, h, uid } from '../../core/dom.js';
import { t } from '../../core/i18n.js';
import { dialog } from '../../parts/dialog.js';
import { say } from '../../parts/notices.js';

const json = (spec) => JSON.stringify(spec, null, 2);
// The shell ends a quoted text at a quote; `'\''` is one within it.
const quoted = (text) => `'${text.replaceAll("'", String.raw`'\''`)}'`;

const FORMS = {
  json,
  curl: (spec) =>
    [
      `curl ${quoted(`${location.origin}/v1/jobs`)} \\`,
      '  -H "Authorization: Bearer $GRAFT_API_KEY" \\',
      "  -H 'Content-Type: application/json' \\",
      `  --data-raw ${quoted(json(spec))}`,
    ].join('\n'),
  graft: (spec) => [`printf '%s' ${quoted(json(spec))} > job.json`, `graft jobs submit --url ${quoted(location.origin)} --spec job.json --watch`].join('\n'),
};

/** Show a spec as text that can be copied. */
export function share(spec) {
  const text = h('pre', { class: 'share-text', tabindex: 0, role: 'region', 'aria-label': t('new_job.copy_text') });
  const name = uid('form');
  let shown = 'json';
  const draw = () => fill(text, FORMS[shown](spec));
  const choices = Object.keys(FORMS).map((form) => {
    const input = h('input', { type: 'radio', name, value: form, checked: form === shown });
    input.addEventListener('change', () => {
      shown = form;
      fill(done);
      draw();
    });
    return h('label', { class: 'check' }, input, t(`new_job.as_${form}`));
  });
  const done = h('span', { class: 'muted', role: 'status' });
  const copy = h('button', { type: 'button', class: 'button button-primary' }, t('new_job.copy'));
  copy.addEventListener('click', async () => {
    try {
      // Browsers give no clipboard to a page that came by plain http from another machine.
      await navigator.clipboard.writeText(text.textContent);
      fill(done, t('new_job.copied'));
    } catch {
      getSelection().selectAllChildren(text);
      fill(done, t('new_job.copy_by_hand'));
      say(t('new_job.copy_by_hand'));
    }
  });
  const end = h('button', { type: 'button', class: 'button' }, t('new_job.close'));
  draw();
  const { close } = dialog({
    title: t('new_job.copy_as'),
    wide: true,
    body: [h('div', { class: 'checks', role: 'radiogroup', 'aria-label': t('new_job.copy_as') }, choices), text],
    actions: [done, end, copy],
  });
  end.addEventListener('click', close);
}
