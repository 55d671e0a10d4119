/**
 * A form made of a JSON schema: every field that the schema has, and none besides. Where nothing is
 * given by hand a field shows what holds instead, and only what was given is in the form's value.
 *
 * A view lays out what matters (`place`), and `rest` has everything else, so that a field that the
 * service gains tomorrow can be reached without a change here.
 */

import { booleanField, choiceField, plainField } from './schema_form/plain.js';
import { checksField, chipsField } from './schema_form/lists.js';
import { byField, itemsField, objectField, unionField } from './schema_form/objects.js';
import { kindOf, pathOf, pointerOf, resolved } from './schema_form/schema.js';
import { sheet as newSheet } from './schema_form/sheet.js';

const MAKERS = {
  text: plainField, number: plainField, enum: choiceField, boolean: booleanField, object: objectField,
  by: byField, checks: checksField, chips: chipsField, items: itemsField, union: unionField,
};

/**
 * Make a form.
 *
 * @param {{schema: object, schemas: object, given?: object, words: object, layout?: function,
 *   seed?: function, custom?: object, hidden?: string[], onChange: function(): void}} options
 *   `schemas`: those that `$ref` speaks of, by name. `given`: what is given by hand already.
 *   `words`: what things are called (see `views/new_job/words.js`). `layout(path)`: of an object in
 *   a list, which fields come first, and what sums it up. `seed(path, list)`: what a list that was
 *   inherited begins with when it is changed. `custom`: pattern of a pointer → function that makes
 *   its field. `hidden`: pointers of what is filled in by the service alone.
 * @returns {object} `place(pointer)` and `rest(pointer)` give nodes; `value()` what was given;
 *   `inherit(value)` says what holds elsewhere; `fail(errors)` shows a refusal's `errors` at their
 *   fields and returns those that have none; `wrongs()` lists what the form itself sees is wrong;
 *   `focus(pointer)` goes to a field.
 */
export function schemaForm({ schema, schemas, given = {}, words, layout, seed, custom = {}, hidden = [], onChange }) {
  const sheet = newSheet(given, seed ?? ((_, list) => list));
  const fields = new Map(); // pointer → field
  const placed = new Set(hidden);
  const roots = [];
  let refused = new Map(); // pointer → what the service said of it

  const schemaAt = (path) => {
    let at = resolved(schema, schemas);
    for (const part of path) {
      if (typeof part === 'number') at = resolved(at.items, schemas);
      else at = resolved(objectOf(at)?.properties?.[part] ?? {}, schemas);
    }
    return at;
  };
  // An object that may be null as well is one behind a union.
  const objectOf = (at) => at.properties ? at : (at.anyOf ?? []).map((one) => resolved(one, schemas)).find((one) => one.properties);

  const context = {
    sheet,
    words,
    pointerOf,
    layout: (path) => layout?.(path) ?? { first: [] },
    isPlaced: (path) => placed.has(pointerOf(path)),
    isRequired(path) {
      return objectOf(schemaAt(path.slice(0, -1)))?.required?.includes(path.at(-1)) ?? false;
    },
    make(path, one, { isInner = false } = {}) {
      const pointer = pointerOf(path);
      const own = isInner ? null : custom[pointer.replace(/\/\d+/g, '/*')];
      const asked = { path, isInner, ...kindOf(one, schemas) };
      const field = (own ?? MAKERS[asked.kind])(context, asked);
      // Inside a choice the field that has the choice stands for both; one that only holds others
      // has no place of its own to say that something is wrong.
      if (!isInner && !['object', 'by'].includes(asked.kind)) fields.set(pointer, field);
      return field;
    },
    register: (path, field) => fields.set(pointerOf(path), field),
    unmake(path, { keepSelf = false } = {}) {
      const pointer = pointerOf(path);
      for (const one of [...fields.keys()]) if (one.startsWith(`${pointer}/`) || (one === pointer && !keepSelf)) fields.delete(one);
    },
    set(path, value) {
      sheet.set(path, value);
      changed(path);
    },
    drop(path) {
      sheet.drop(path);
      changed(path);
    },
    reset(path) {
      sheet.drop(path);
      changed(path);
    },
    /** A list as it is when it is about to be changed: what was given, or what it begins with. */
    seeded: (path, one) => structuredClone(sheet.get(path) ?? (seed ?? ((_, list) => list))(path, sheet.below(path, one) ?? [])),
    /** A new object of a list: what it has to have. */
    fresh: (path, item) => Object.fromEntries((item.required ?? []).map((name) => [name, firstOf(resolved(item.properties[name], schemas))])),
    /** What a value of one's own begins with: what holds already, where it is of that kind. */
    start(path, own) {
      const below = sheet.below(path);
      if (own.type === 'array') return Array.isArray(below) ? structuredClone(below) : [];
      if (own.type === 'object') return {};
      return typeof below === 'number' ? below : (own.minimum ?? '');
    },
  };

  function changed(path) {
    // What was said of this field was said of another value.
    const pointer = pointerOf(path);
    for (const one of [...refused.keys()]) if (one === pointer || one.startsWith(`${pointer}/`) || pointer.startsWith(`${one}/`)) refused.delete(one);
    refresh();
    onChange(path);
  }

  function refresh() {
    roots.forEach((one) => one.refresh());
    for (const [pointer, field] of fields) field.fail(field.wrong() ?? refused.get(pointer) ?? null);
  }

  function root(field) {
    roots.push(field);
    return field.node;
  }

  return {
    /** The field of a pointer, once. */
    place(pointer) {
      const path = pathOf(pointer);
      placed.add(pointer);
      return root(context.make(path, schemaAt(path)));
    },
    /** All of an object's fields that were not placed; null where there are none. */
    rest(pointer = '') {
      const field = objectField(context, { path: pathOf(pointer), schema: schemaAt(pathOf(pointer)), isInner: true });
      placed.add(pointer);
      return field.isEmpty ? null : root(field);
    },
    refresh,
    value: () => sheet.value(),
    get: (pointer) => sheet.get(pathOf(pointer)),
    /** What holds at a pointer, whoever said so. */
    holds: (pointer) => sheet.get(pathOf(pointer)) ?? sheet.below(pathOf(pointer), schemaAt(pathOf(pointer))),
    set: (pointer, value) => context.set(pathOf(pointer), value),
    inherit(value) {
      sheet.inherit(value);
      refresh();
    },
    fail(errors) {
      refused = new Map();
      const others = [];
      for (const { pointer, detail } of errors) {
        const found = nearest(pointer);
        if (found) refused.set(found, detail);
        else others.push({ pointer, detail });
      }
      refresh();
      return others;
    },
    wrongs: () => [...fields].map(([pointer, field]) => ({ pointer, detail: field.wrong() })).filter((one) => one.detail),
    focus(pointer) {
      const field = fields.get(nearest(pointer));
      if (!field) return;
      for (let at = field.node; at; at = at.parentElement) if (at.tagName === 'DETAILS') at.open = true;
      field.focus();
    },
  };

  /** The pointer of the field that a pointer lies in. */
  function nearest(pointer) {
    let at = pointer;
    while (at && !fields.has(at)) at = at.slice(0, at.lastIndexOf('/'));
    return at || null;
  }

  function firstOf(one) {
    return one.default ?? one.enum?.[0] ?? one.minimum ?? '';
  }
}
