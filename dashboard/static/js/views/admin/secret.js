/** Something secret that is shown this once. */

import { h, uid } from '../../core/dom.js';
import { t } from '../../core/i18n.js';
import { dialog } from '../../parts/dialog.js';
import { copyButton } from '../../parts/copy.js';

/**
 * Show a secret until it has been put away.
 *
 * @param {{title: string, label: string, text: string, about: any}} options `about` says what it is
 *   for.
 * @returns {Promise<void>} Of the dialog's end.
 */
export function showSecret({ title, label, text, about }) {
  const id = uid('secret');
  const input = h('input', { id, type: 'text', readonly: true, class: 'mono secret', spellcheck: 'false', autocomplete: 'off', props: { value: text } });
  input.addEventListener('focus', () => input.select());
  const done = h('button', { type: 'button', class: 'button button-primary' }, t('admin.secret_done'));
  const body = [
    h('div', { class: 'box box-warn' }, h('p', null, t('admin.secret_once'))),
    h('div', { class: 'field' }, h('label', { for: id }, label), h('div', { class: 'secret-row' }, input, copyButton(t('admin.copy'), () => text))),
    h('p', { class: 'muted' }, about),
  ];
  const { node, close } = dialog({ title, body, actions: [done] });
  done.addEventListener('click', close);
  input.focus();
  return new Promise((resolve) =>
    node.addEventListener('close', () => {
      input.value = '';
      resolve();
    }),
  );
}
