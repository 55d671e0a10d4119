/** A form in a dialog: asked, sent, and what is wrong said where it belongs. */

import { fill, h } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { dialog } from './dialog.js';
import { problemBox } from './notices.js';

/**
 * Ask for something in a dialog.
 *
 * @param {{title: string, body: any, submit: string, work: function(): Promise<any>,
 *   wide?: boolean}} options `work` is called when the form is sent; false from it says that a field
 *   is wrong and has said so itself. What it throws is shown.
 * @returns {Promise<any>} What `work` returned; undefined when the dialog was closed before.
 */
export function askForm({ title, body, submit, work, wide = false }) {
  return new Promise((resolve) => {
    let found;
    const place = h('div');
    const send = h('button', { class: 'button button-primary', type: 'submit' }, submit);
    const leave = h('button', { class: 'button', type: 'button' }, t('app.cancel'));
    const form = h('form', { class: 'form', novalidate: true }, body, place, h('div', { class: 'dialog-actions' }, leave, send));
    const { node, close } = dialog({ title, body: form, actions: [], wide });
    leave.addEventListener('click', close);
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      send.disabled = true;
      fill(place);
      try {
        const answer = await work();
        if (answer === false) return;
        found = answer;
        close();
      } catch (error) {
        fill(place, problemBox(error));
      } finally {
        send.disabled = false;
      }
    });
    node.addEventListener('close', () => resolve(found));
    form.querySelector('input, select, textarea')?.focus();
  });
}

/** A choice of one of few: values, labels and, for each, what it means. */
export function radios(label, name, choices, chosen) {
  const node = h(
    'fieldset',
    { class: 'field radios' },
    h('legend', null, label),
    choices.map(({ value, label: text, help }) =>
      h(
        'label',
        { class: 'check' },
        h('input', { type: 'radio', name, value, props: { checked: value === chosen } }),
        h('span', null, text, help && h('span', { class: 'field-help' }, help)),
      ),
    ),
  );
  return { node, value: () => node.querySelector('input:checked').value };
}

/** A list to choose from. */
export const select = (choices, chosen, props = {}) =>
  h('select', props, choices.map(([value, label]) => h('option', { value, selected: value === chosen }, label)));
