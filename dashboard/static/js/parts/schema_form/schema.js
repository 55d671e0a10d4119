/** Reading a JSON schema (the part of it that pydantic writes), and values by their pointers. */

/** `/gans/0/name` of `['gans', 0, 'name']` (RFC 6901). */
export const pointerOf = (path) => path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** The other way round; whole numbers are places in lists. */
export const pathOf = (pointer) =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part.replaceAll('~1', '/').replaceAll('~0', '~')));

/** The value at a path; undefined where there is none. */
export const valueAt = (value, path) => path.reduce((found, part) => found?.[part], value);

/**
 * Return a schema with its reference followed; what stands beside `$ref` (a description, a default)
 * says it more exactly.
 *
 * @param {object} schema
 * @param {object} schemas All of the document, by name.
 */
export function resolved(schema, schemas) {
  if (!schema.$ref) return schema;
  const { $ref, ...beside } = schema;
  return { ...resolved(schemas[$ref.split('/').pop()], schemas), ...beside };
}

/**
 * Say which kind of field a schema needs.
 *
 * @returns {{kind: 'text'|'number'|'enum'|'boolean'|'object'|'by'|'checks'|'chips'|'items'|'union',
 *   schema: object, nullable: boolean, variants?: object[], item?: object}} `schema` is that
 *   without null; `variants`, of a union, are what can be chosen; `item` is what a list holds.
 */
export function kindOf(given, schemas) {
  const schema = resolved(given, schemas);
  if (schema.anyOf) {
    const { anyOf, ...beside } = schema;
    const all = anyOf.map((one) => resolved(one, schemas));
    const variants = all.filter((one) => one.type !== 'null');
    const nullable = variants.length < all.length;
    // A plain value or nothing is one field that may be empty; all else is a choice.
    if (variants.length === 1 && ['string', 'integer', 'number'].includes(variants[0].type) && !variants[0].enum)
      return { ...kindOf({ ...variants[0], ...beside }, schemas), nullable };
    return { kind: 'union', schema, nullable, variants };
  }
  const found = { schema, nullable: false };
  if (schema.enum) return { kind: 'enum', ...found };
  if (schema['x-by']) return { kind: 'by', ...found };
  switch (schema.type) {
    case 'boolean':
      return { kind: 'boolean', ...found };
    case 'integer':
    case 'number':
      return { kind: 'number', ...found };
    case 'object':
      return { kind: 'object', ...found };
    case 'array': {
      const item = resolved(schema.items, schemas);
      return { kind: item.enum ? 'checks' : item.type === 'object' ? 'items' : 'chips', item, ...found };
    }
    default:
      return { kind: 'text', ...found };
  }
}

/** What can be chosen of an enumeration, or of one that has a single value. */
export const choicesOf = (schema) => schema.enum ?? ('const' in schema ? [schema.const] : []);

/**
 * Say what is wrong with a plain value: which word says it, and with which figures.
 *
 * @param {any} value
 * @param {object} schema Of a number, a text, or a union of such.
 * @returns {{word: string, values: object}|null}
 */
export function complaint(value, schema) {
  if (schema.anyOf) {
    const all = schema.anyOf.filter((one) => one.type !== 'null').map((one) => complaint(value, one));
    return all.some((one) => one === null) ? null : (all.find((one) => one.word !== 'not_one_of') ?? all[0]);
  }
  const choices = choicesOf(schema);
  if (choices.length) return choices.includes(value) ? null : { word: 'not_one_of', values: { choices: choices.join(', ') } };
  if (schema.type === 'integer' || schema.type === 'number') {
    if (typeof value !== 'number' || !Number.isFinite(value)) return { word: 'no_number', values: {} };
    if (schema.type === 'integer' && !Number.isInteger(value)) return { word: 'not_whole', values: {} };
    const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
    if (value < minimum) return { word: 'too_small', values: { n: minimum } };
    if (value > maximum) return { word: 'too_large', values: { n: maximum } };
    if (value <= exclusiveMinimum) return { word: 'not_above', values: { n: exclusiveMinimum } };
    if (value >= exclusiveMaximum) return { word: 'not_below', values: { n: exclusiveMaximum } };
    if (multipleOf && value % multipleOf !== 0) return { word: 'no_multiple', values: { n: multipleOf } };
    return null;
  }
  if (schema.type === 'string' && value.length > schema.maxLength) return { word: 'too_long', values: { n: schema.maxLength } };
  return null;
}
