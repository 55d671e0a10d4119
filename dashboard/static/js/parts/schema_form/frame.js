/** What every field of a form has around it: its name, what it means, whether it was given by hand. */

import { fill, h, uid } from '../../core/dom.js';
import { t } from '../../core/i18n.js';

/**
 * Make the frame of a field.
 *
 * @param {object} context Of the form.
 * @param {{path: Array, schema: object, isGroup?: boolean, isInner?: boolean}} options `isGroup`:
 *   it holds several inputs. `isInner`: it stands within a choice, which says everything already.
 * @returns {{node: HTMLElement, place: HTMLElement, label: string, id: string, mark: function(): void,
 *   fail: function(string|null): void, about: function(HTMLElement): void}} `place` holds the
 *   inputs; `mark` shows anew whether the field was given; `about` ties an input to help and error.
 */
export function frame(context, { path, schema, isGroup = false, isInner = false }) {
  const id = uid('field');
  const label = context.words.label(path, schema);
  const help = isInner ? null : context.words.help(path, schema);
  const reset = h(
    'button',
    { type: 'button', class: 'field-reset', 'aria-label': t('form.reset_of', { name: label }), title: t('form.reset_title'), on: { click: () => context.reset(path) } },
    t('form.reset'),
  );
  const given = h('span', { class: 'field-given', hidden: true }, h('span', { class: 'field-given-mark' }, t('form.given')), reset);
  const place = h('div', { class: 'field-place' });
  const error = h('p', { class: 'field-error', id: `${id}-error` });
  const helpNode = help && h('p', { class: 'field-help', id: `${id}-help` }, help);
  const isUnseen = isInner && 'visually-hidden';
  const name = isGroup
    ? h('span', { class: ['label', isUnseen], id: `${id}-label` }, label)
    : h('label', { for: id, class: isUnseen }, label);
  const node = h(
    'div',
    {
      class: ['field', isGroup && 'field-group', isInner && 'field-inner'], data: { pointer: context.pointerOf(path) },
      ...(isGroup && { role: 'group', 'aria-labelledby': `${id}-label` }),
    },
    h('div', { class: 'field-head' }, name, given),
    place,
    helpNode,
    error,
  );
  const inputs = new Set();
  const tie = () => {
    const about = [help && `${id}-help`, error.textContent && `${id}-error`].filter(Boolean).join(' ');
    for (const input of inputs) {
      if (about) input.setAttribute('aria-describedby', about);
      else input.removeAttribute('aria-describedby');
      if (error.textContent) input.setAttribute('aria-invalid', 'true');
      else input.removeAttribute('aria-invalid');
    }
  };
  return {
    node,
    place,
    label,
    id,
    about(input) {
      inputs.add(input);
      tie();
    },
    mark() {
      const isGiven = !isInner && context.sheet.get(path) !== undefined && !context.isRequired(path);
      // What is reset by its own button is hidden with it: the focus goes to the field.
      if (!isGiven && given.contains(document.activeElement)) place.querySelector('input, select, button')?.focus();
      given.hidden = !isGiven;
      node.classList.toggle('field-by-hand', isGiven);
    },
    fail(text) {
      if (error.textContent !== (text ?? '')) fill(error, text ?? '');
      node.classList.toggle('field-wrong', Boolean(text));
      tie();
    },
  };
}
