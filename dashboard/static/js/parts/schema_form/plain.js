/** Fields with one value: texts, numbers, choices, yes or no. */

import { fill, h } from '../../core/dom.js';
import { number, t } from '../../core/i18n.js';
import { frame } from './frame.js';
import { choicesOf, complaint } from './schema.js';

/** A text or a number; empty: what is inherited. */
export function plainField(context, { path, schema, kind, nullable, isInner }) {
  const around = frame(context, { path, schema, isInner });
  const isNumber = kind === 'number';
  const input = h('input', {
    id: around.id, autocomplete: 'off', spellcheck: 'false',
    // Not `number`: it swallows what is no number, and turns with the wheel while one scrolls.
    type: 'text', inputmode: isNumber ? (schema.type === 'integer' ? 'numeric' : 'decimal') : null,
    maxlength: isNumber ? null : schema.maxLength, class: isNumber && 'input-number',
  });
  const none = nullable ? h('input', { type: 'checkbox' }) : null;
  const noneLabel = none && h('label', { class: 'check small' }, none, context.words.none(path));
  fill(around.place, input, noneLabel);
  around.about(input);

  input.addEventListener('input', () => {
    const text = input.value.trim();
    // Within a choice an empty field is one that is still to be filled in.
    if (text === '') return isInner ? context.set(path, '') : context.drop(path);
    const value = isNumber ? Number(text.replace(',', '.')) : input.value;
    return context.set(path, Number.isNaN(value) ? text : value);
  });
  none?.addEventListener('change', () => (none.checked ? context.set(path, null) : context.drop(path)));

  return {
    node: around.node,
    fail: around.fail,
    focus: () => input.focus(),
    refresh() {
      const given = context.sheet.get(path);
      const below = context.sheet.below(path, schema);
      const shown = given === undefined || given === null ? '' : String(given);
      // What is being typed stays as it is typed: 0.10 is no 0.1 yet.
      if (document.activeElement !== input || shown === '' || Number(input.value.replace(',', '.')) !== given) {
        if (input.value.trim() !== shown) input.value = shown;
      }
      const isNone = below === undefined || below === null || below === '';
      input.placeholder = isNone ? context.words.none(path) : isNumber ? told(below, context, path) : String(below);
      input.disabled = given === null;
      if (none) {
        none.checked = given === null;
        noneLabel.hidden = given !== null && (below === undefined || below === null);
      }
      around.mark();
    },
    wrong() {
      const given = context.sheet.get(path);
      if (given === undefined) {
        const isMissing = context.isRequired(path) && context.sheet.below(path, schema) === undefined;
        return isMissing ? t('form.needed') : null;
      }
      const found = given === null ? null : complaint(given, schema);
      return found && t(`form.${found.word}`, found.values);
    },
  };
}

/** One of a few; the first choice is what is inherited. */
export function choiceField(context, { path, schema }) {
  const around = frame(context, { path, schema });
  const isRequired = context.isRequired(path);
  const inherit = !isRequired && h('option', { value: '' });
  const select = h(
    'select',
    { id: around.id },
    inherit,
    choicesOf(schema).map((one) => h('option', { value: one }, context.words.value(path, one))),
  );
  fill(around.place, select);
  around.about(select);
  select.addEventListener('change', () => (select.value === '' ? context.drop(path) : context.set(path, select.value)));
  return {
    node: around.node,
    fail: around.fail,
    focus: () => select.focus(),
    refresh() {
      const below = context.sheet.below(path, schema);
      if (inherit) {
        const text = below === undefined || below === null ? t('form.inherit') : t('form.inherit_value', { value: told(below, context, path) });
        if (inherit.textContent !== text) fill(inherit, text);
      }
      const value = context.sheet.get(path) ?? (isRequired ? below : '') ?? '';
      if (select.value !== value) select.value = value;
      around.mark();
    },
    wrong: () => null,
  };
}

/** Yes or no: the box shows what holds. */
export function booleanField(context, { path, schema }) {
  const around = frame(context, { path, schema });
  const input = h('input', { id: around.id, type: 'checkbox' });
  around.node.classList.add('field-check');
  around.node.querySelector('.field-head').prepend(input);
  around.about(input);
  input.addEventListener('change', () => context.set(path, input.checked));
  return {
    node: around.node,
    fail: around.fail,
    focus: () => input.focus(),
    refresh() {
      input.checked = context.sheet.get(path) ?? context.sheet.below(path, schema) ?? false;
      around.mark();
    },
    wrong: () => null,
  };
}

/** A value in words, as a field shows it that nothing was given in. */
export function told(value, context, path) {
  if (Array.isArray(value)) return value.length ? value.map((one) => told(one, context, path)).join(', ') : context.words.none(path);
  if (value === null || value === undefined) return context.words.none(path);
  if (typeof value === 'number') return number(value, 8);
  if (typeof value === 'boolean') return t(value ? 'form.yes' : 'form.no');
  if (typeof value === 'object') return t('form.set');
  return context.words.value(path, value);
}
