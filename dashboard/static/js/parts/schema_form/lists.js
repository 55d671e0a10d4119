/** Fields with many plain values: boxes to tick, and values in a row that are put in and taken out. */

import { fill, h, uid } from '../../core/dom.js';
import { t } from '../../core/i18n.js';
import { say } from '../notices.js';
import { frame } from './frame.js';
import { told } from './plain.js';
import { choicesOf, complaint } from './schema.js';

/** Some of a few. */
export function checksField(context, { path, schema, item, isInner }) {
  const around = frame(context, { path, schema, isGroup: true, isInner });
  const boxes = item.enum.map((one) => {
    const input = h('input', { type: 'checkbox', value: one });
    input.addEventListener('change', () => {
      const chosen = new Set(effective(context, path, schema));
      if (input.checked) chosen.add(one);
      else chosen.delete(one);
      // In the schema's order, whatever was ticked first.
      context.set(path, item.enum.filter((name) => chosen.has(name)));
    });
    return input;
  });
  fill(
    around.place,
    h('div', { class: 'checks' }, boxes.map((input, i) => h('label', { class: 'check' }, input, h('span', null, context.words.value(path, item.enum[i]))))),
  );
  boxes.forEach(around.about);
  return {
    node: around.node,
    fail: around.fail,
    focus: () => boxes[0].focus(),
    refresh() {
      const chosen = effective(context, path, schema);
      for (const input of boxes) input.checked = chosen.includes(input.value);
      around.mark();
    },
    wrong: () => amiss(context.sheet.get(path), schema),
  };
}

/** Any number of values: each can be taken out, others put in. */
export function chipsField(context, { path, schema, item, isInner }) {
  const around = frame(context, { path, schema, isGroup: true, isInner });
  const chips = h('ul', { class: 'chips' });
  const variants = item.anyOf ?? [item];
  const named = variants.flatMap(choicesOf);
  const isNumber = variants.some((one) => ['integer', 'number'].includes(one.type));
  const input = h('input', {
    id: uid('add'), type: 'text', class: isNumber ? 'input-number' : '', autocomplete: 'off', spellcheck: 'false',
    inputmode: isNumber ? 'decimal' : null, 'aria-label': t('form.add_to', { name: around.label }),
  });
  const add = h('button', { type: 'button', class: 'button button-small', 'aria-label': t('form.add_to', { name: around.label }) }, t('form.add'));
  const quick = named.map((one) => {
    const node = h('button', { type: 'button', class: 'button button-small' }, `+ ${context.words.value(path, one)}`);
    node.addEventListener('click', () => put([one]));
    return [one, node];
  });
  fill(around.place, chips, h('div', { class: 'chips-add' }, input, add, quick.map(([, node]) => node)));
  around.about(input);
  let drawn = null;

  function put(values) {
    const now = effective(context, path, schema);
    const isSet = !schema['x-ordered'];
    for (const [i, value] of values.entries()) {
      const found = complaint(value, item);
      if (found) return around.fail(t(`form.${found.word}`, found.values));
      if (isSet && (now.includes(value) || values.indexOf(value) < i)) return around.fail(t('form.twice', { value: told(value, context, path) }));
    }
    context.set(path, isSet ? sorted([...now, ...values]) : [...now, ...values]);
    input.value = '';
    return say(t('form.added', { value: values.map((value) => told(value, context, path)).join(', ') }));
  }

  function putTyped() {
    const texts = input.value.split(/[\s,;]+/).filter(Boolean);
    if (!texts.length) return input.focus();
    return put(texts.map((text) => (isNumber && !Number.isNaN(Number(text)) ? Number(text) : text)));
  }

  function take(index) {
    const now = effective(context, path, schema);
    context.set(path, now.filter((_, i) => i !== index));
    say(t('form.taken_out', { value: told(now[index], context, path) }));
    (chips.querySelectorAll('button')[Math.min(index, now.length - 2)] ?? input).focus();
  }

  add.addEventListener('click', putTyped);
  input.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') {
      // Not the whole form: it is one value that is done.
      event.preventDefault();
      putTyped();
    } else if (event.key === 'Backspace' && input.value === '' && effective(context, path, schema).length) {
      event.preventDefault();
      const now = effective(context, path, schema);
      context.set(path, now.slice(0, -1));
      say(t('form.taken_out', { value: told(now.at(-1), context, path) }));
    }
  });

  return {
    node: around.node,
    fail: around.fail,
    focus: () => input.focus(),
    refresh() {
      const now = effective(context, path, schema);
      const isGiven = context.sheet.get(path) !== undefined;
      const state = JSON.stringify([now, isGiven]);
      if (state !== drawn) {
        drawn = state;
        const values = now.map((one) => told(one, context, path));
        fill(
          chips,
          values.map((value, i) =>
            h(
              'li',
              { class: ['chip', !isGiven && 'chip-inherited'] },
              h('span', null, value),
              h('button', { type: 'button', 'aria-label': t('form.take_out', { value }), on: { click: () => take(i) } }, '×'),
            ),
          ),
        );
        chips.hidden = now.length === 0;
      }
      for (const [one, node] of quick) node.hidden = now.includes(one);
      around.mark();
    },
    wrong() {
      const given = context.sheet.get(path);
      if (given === undefined) return null;
      const found = given.map((one) => complaint(one, item)).find(Boolean);
      return found ? t(`form.${found.word}`, found.values) : amiss(given, schema);
    },
  };
}

/** Numbers rise, and what has a name comes last. */
const sorted = (values) => {
  const isNamed = (one) => Number(typeof one !== 'number');
  return values.sort((a, b) => isNamed(a) - isNamed(b) || (isNamed(a) ? 0 : a - b));
};

const effective = (context, path, schema) => context.sheet.get(path) ?? context.sheet.below(path, schema) ?? [];

function amiss(given, schema) {
  if (!Array.isArray(given)) return null;
  if (given.length < (schema.minItems ?? 0)) return t('form.too_few', { n: schema.minItems });
  if (given.length > (schema.maxItems ?? Infinity)) return t('form.too_many', { n: schema.maxItems });
  return null;
}
