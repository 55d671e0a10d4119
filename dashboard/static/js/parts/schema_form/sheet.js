/** What a form holds: what was given by hand, and what holds where nothing was. */

import { pointerOf, valueAt } from './schema.js';

/**
 * @param {any} given What is there already.
 * @param {function(Array, Array): Array} seed Is given the path of a list that is inherited and the
 *   list; returns what it begins with when its first item is changed by hand.
 */
export function sheet(given, seed) {
  let inherited = {};
  // Objects that mean something though nothing is given in them: a choice that has been made.
  const meant = new Set();

  /** Return the container of a path, made where it is missing. */
  function containerOf(path) {
    let at = given;
    path.slice(0, -1).forEach((part, i) => {
      if (at[part] === undefined || at[part] === null || typeof at[part] !== 'object') {
        const here = path.slice(0, i + 1);
        const below = valueAt(inherited, here);
        // A list is given as a whole, so its other items are given with it.
        at[part] = typeof path[i + 1] === 'number' ? structuredClone(seed(here, below ?? [])) : {};
      }
      at = at[part];
    });
    return at;
  }

  function pruned(value, path) {
    if (Array.isArray(value)) return value.map((one, i) => pruned(one, [...path, i]));
    if (value === null || typeof value !== 'object') return value;
    const kept = Object.entries(value)
      .map(([name, one]) => [name, pruned(one, [...path, name])])
      .filter(([name, one]) => one !== undefined && !(isBare(one) && !meant.has(pointerOf([...path, name]))));
    return Object.fromEntries(kept);
  }

  return {
    /** What was given by hand at a path; undefined: nothing. */
    get: (path) => valueAt(given, path),
    /** What holds at a path where nothing is given: what the service said, or the schema's own. */
    below: (path, schema) => valueAt(inherited, path) ?? schema?.default,
    set(path, value) {
      containerOf(path)[path.at(-1)] = value;
      if (isBare(value)) meant.add(pointerOf(path));
    },
    drop(path) {
      const at = valueAt(given, path.slice(0, -1));
      if (Array.isArray(at)) at.splice(path.at(-1), 1);
      else if (at) delete at[path.at(-1)];
      meant.delete(pointerOf(path));
    },
    /** Return what was given by hand, without objects in which nothing is. */
    value: () => pruned(given, []),
    /** An item of a list is gone: what holds for those after it moves up. */
    removeBelow(path, index) {
      const list = valueAt(inherited, path);
      if (!Array.isArray(list)) return;
      inherited = structuredClone(inherited);
      valueAt(inherited, path).splice(index, 1);
    },
    inherit(next) {
      inherited = next ?? {};
    },
    replace(next) {
      given = next;
      meant.clear();
    },
  };
}

const isBare = (value) => value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0;
