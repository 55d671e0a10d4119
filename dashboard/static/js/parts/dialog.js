/** Questions in front of the page. The browser's own `dialog` keeps the focus in and closes on Escape. */

import { h, uid } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { problemBox } from './notices.js';

/**
 * Show a dialog.
 *
 * @param {{title: string, body: any, actions: Array<Node>, wide?: boolean}} options
 * @returns {{node: HTMLDialogElement, close: function(): void}} It is removed when it is closed.
 */
export function dialog({ title, body, actions, wide = false }) {
  const id = uid('dialog');
  const node = h(
    'dialog',
    { class: ['dialog', wide && 'dialog-wide'], 'aria-labelledby': id },
    h('h2', { id }, title),
    h('div', { class: 'dialog-body' }, body),
    h('div', { class: 'dialog-actions' }, actions),
  );
  document.body.append(node);
  node.addEventListener('close', () => node.remove());
  node.showModal();
  return { node, close: () => node.close() };
}

/**
 * Ask whether to do something, and do it.
 *
 * @param {{title: string, text: any, confirm: string, danger?: boolean,
 *   work: function(): Promise<void>}} options `work` is waited for; what it throws is shown.
 * @returns {Promise<boolean>} Whether it was done.
 */
export function confirm({ title, text, confirm: label, danger = false, work }) {
  return new Promise((resolve) => {
    let isDone = false;
    const place = h('div');
    const yes = h(
      'button',
      { class: ['button', danger ? 'button-danger' : 'button-primary'], type: 'button' },
      label,
    );
    const no = h('button', { class: 'button', type: 'button' }, t('app.keep'));
    const { node, close } = dialog({ title, body: [h('p', null, text), place], actions: [no, yes] });
    no.addEventListener('click', close);
    yes.addEventListener('click', async () => {
      yes.disabled = true;
      try {
        await work();
        isDone = true;
        close();
      } catch (error) {
        place.replaceChildren(problemBox(error));
        yes.disabled = false;
      }
    });
    node.addEventListener('close', () => resolve(isDone));
  });
}
