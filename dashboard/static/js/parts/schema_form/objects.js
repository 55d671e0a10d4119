/** Fields that hold fields: objects, lists of objects, settings by kind, and one of several. */

import { fill, h, uid } from '../../core/dom.js';
import { t } from '../../core/i18n.js';
import { say } from '../notices.js';
import { frame } from './frame.js';
import { told } from './plain.js';
import { choicesOf } from './schema.js';

/** All fields of an object, but those that stand elsewhere already. */
export function objectField(context, { path, schema, isInner = false }) {
  const made = Object.entries(schema.properties ?? {})
    .filter(([name]) => !context.isPlaced([...path, name]))
    .map(([name, one]) => context.make([...path, name], one))
    .filter((one) => !one.isEmpty);
  const nodes = made.map((one) => one.node);
  const id = uid('group');
  const node = isInner
    ? h('div', { class: 'fields' }, nodes)
    : h(
        'fieldset',
        { class: 'field-object', 'aria-labelledby': id },
        h('legend', { id }, context.words.label(path, schema)),
        context.words.help(path, schema) && h('p', { class: 'field-help' }, context.words.help(path, schema)),
        h('div', { class: 'fields' }, nodes),
      );
  return {
    node,
    isEmpty: nodes.length === 0,
    fail: () => {},
    focus: () => made[0]?.focus(),
    refresh: () => made.forEach((one) => one.refresh()),
    wrong: () => null,
  };
}

/** Objects in a row: cards, each with what matters in sight and the rest folded away. */
export function itemsField(context, { path, schema, item }) {
  const around = frame(context, { path, schema, isGroup: true });
  const list = h('ol', { class: 'items' });
  const add = h('button', { type: 'button', class: 'button button-small items-add' }, context.words.add(path));
  const none = h('p', { class: 'muted' }, context.words.empty(path));
  fill(around.place, list, none, add);
  let cards = [];
  const shown = () => context.sheet.get(path) ?? context.sheet.below(path, schema) ?? [];

  add.addEventListener('click', () => {
    const next = [...context.seeded(path, schema), context.fresh(path, item)];
    context.set(path, next);
    draw();
    cards.at(-1).focus();
    say(t('form.item_added'));
  });

  function remove(index) {
    const left = context.seeded(path, schema).filter((_, i) => i !== index);
    context.sheet.removeBelow(path, index);
    context.set(path, left);
    draw();
    (cards[Math.min(index, cards.length - 1)] ?? { focus: () => add.focus() }).focus();
    say(t('form.item_removed'));
  }

  function draw() {
    // The fields of a card know their place in the list, so all are made anew when places change.
    cards.forEach((one) => context.unmake(one.path));
    cards = shown().map((_, index) => card(context, [...path, index], item, () => remove(index)));
    fill(list, cards.map((one) => one.node));
    cards.forEach((one) => one.refresh());
  }

  return {
    node: around.node,
    fail: around.fail,
    focus: () => (cards[0] ?? { focus: () => add.focus() }).focus(),
    refresh() {
      if (shown().length !== cards.length) draw();
      else cards.forEach((one) => one.refresh());
      none.hidden = cards.length > 0;
      add.hidden = cards.length >= (schema.maxItems ?? Infinity);
      around.node.classList.toggle('items-inherited', context.sheet.get(path) === undefined);
      around.mark();
    },
    wrong: () => null,
  };
}

function card(context, path, item, remove) {
  const { first, summary } = context.layout(path);
  const leading = first.filter((name) => item.properties[name]).map((name) => context.make([...path, name], item.properties[name]));
  const rest = Object.entries(item.properties)
    .filter(([name]) => !first.includes(name))
    .map(([name, one]) => context.make([...path, name], one));
  const id = uid('item');
  const title = h('h3', { id });
  const words = h('span', { class: 'muted small' });
  const error = h('p', { class: 'field-error' });
  const out = h('button', { type: 'button', class: 'button button-small' }, t('form.remove'));
  out.addEventListener('click', remove);
  const all = [...leading, ...rest];
  const node = h(
    'li',
    { class: 'item', 'aria-labelledby': id },
    h('div', { class: 'item-head' }, title, words, out),
    error,
    h('div', { class: 'fields' }, leading.map((one) => one.node)),
    rest.length > 0 &&
      h('details', { class: 'more' }, h('summary', null, context.words.more(path)), h('div', { class: 'fields' }, rest.map((one) => one.node))),
  );
  const made = {
    path,
    node,
    fail(text) {
      fill(error, text ?? '');
      node.classList.toggle('item-wrong', Boolean(text));
    },
    wrong: () => null,
    focus: () => all[0]?.focus(),
    refresh() {
      const name = context.words.item(path);
      if (title.textContent !== name) fill(title, name);
      out.setAttribute('aria-label', t('form.remove_item', { name }));
      const text = summary?.(path) ?? '';
      if (words.textContent !== text) fill(words, text);
      all.forEach((one) => one.refresh());
    },
  };
  context.register(path, made);
  return made;
}

/** Settings that another field decides the names of (`x-by`). */
export function byField(context, { path, schema }) {
  const { field, schemas } = schema['x-by'];
  const by = [...path.slice(0, -1), field];
  const id = uid('group');
  const place = h('div');
  const node = h(
    'fieldset',
    { class: 'field-object', 'aria-labelledby': id },
    h('legend', { id }, context.words.label(path, schema)),
    place,
  );
  let drawn = null;
  let inner = null;
  return {
    node,
    fail: () => {},
    focus: () => inner?.focus(),
    refresh() {
      const kind = context.sheet.get(by) ?? context.sheet.below(by);
      if (kind !== drawn) {
        // What the other kind was given means nothing to this one.
        if (drawn !== null && context.sheet.get(path) !== undefined) context.sheet.drop(path);
        drawn = kind;
        context.unmake(path, { keepSelf: true });
        inner = schemas[kind] ? objectField(context, { path, schema: schemas[kind], isInner: true }) : null;
        fill(place, inner?.node);
      }
      inner?.refresh();
      node.hidden = !inner || inner.isEmpty;
    },
    wrong: () => null,
  };
}

/** One of several: what is inherited, nothing, a word, or a value of one's own. */
export function unionField(context, { path, schema, variants, nullable }) {
  const around = frame(context, { path, schema });
  const isRequired = context.isRequired(path);
  const inherit = !isRequired && h('option', { value: 'inherit' });
  const words = variants.flatMap(choicesOf);
  const own = variants.find((one) => !choicesOf(one).length);
  const select = h(
    'select',
    { id: around.id },
    inherit,
    nullable && h('option', { value: 'null' }, context.words.none(path)),
    words.map((one) => h('option', { value: `word:${one}` }, context.words.value(path, one))),
    own && h('option', { value: 'own' }, context.words.own(path, own)),
  );
  const place = h('div', { class: 'field-own' });
  fill(around.place, select, place);
  around.about(select);
  let inner = null;

  select.addEventListener('change', () => {
    const chosen = select.value;
    if (chosen === 'inherit') context.drop(path);
    else if (chosen === 'null') context.set(path, null);
    else if (chosen.startsWith('word:')) context.set(path, chosen.slice(5));
    else {
      context.set(path, context.start(path, own));
      inner?.focus();
    }
  });

  const stateOf = (given) => {
    if (given === undefined) return isRequired ? 'own' : 'inherit';
    if (given === null) return 'null';
    return words.includes(given) ? `word:${given}` : 'own';
  };

  return {
    node: around.node,
    fail: around.fail,
    focus: () => select.focus(),
    refresh() {
      const state = stateOf(context.sheet.get(path));
      const below = context.sheet.below(path, schema);
      if (inherit) {
        const text = t('form.inherit_value', { value: told(below, context, path) });
        if (inherit.textContent !== text) fill(inherit, text);
      }
      select.value = state;
      if ((state === 'own') !== (inner !== null)) {
        if (state === 'own') {
          inner = context.make(path, own, { isInner: true });
          fill(place, inner.node);
        } else {
          context.unmake(path, { keepSelf: true });
          inner = null;
          fill(place);
        }
      }
      inner?.refresh();
      around.mark();
    },
    wrong: () => inner?.wrong() ?? null,
  };
}

