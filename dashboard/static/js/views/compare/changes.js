/** In what two studies differ, and what that means for comparing them. Pure. */

import { countsOf, summaryOf } from '../results/shape.js';

/**
 * Say in which settings two specs differ: only those, however deep they lie.
 *
 * @param {object} first With every default filled in.
 * @param {object} second
 * @returns {Array<{path: string, first: any, second: any}>} undefined: it has no such setting.
 */
export function settingsChanged(first, second) {
  const [a, b] = [flat(first), flat(second)];
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((path) => path !== 'name' && JSON.stringify(a.get(path)) !== JSON.stringify(b.get(path)))
    .sort()
    .map((path) => ({ path, first: a.get(path), second: b.get(path) }));
}

function flat(value, path = '', found = new Map()) {
  const isPlainList = Array.isArray(value) && value.every((one) => one === null || typeof one !== 'object');
  if (value === null || typeof value !== 'object' || isPlainList) found.set(path, value);
  // Things that have a name are told apart by it: a GAN more does not change those behind it.
  else if (Array.isArray(value)) value.forEach((one, i) => flat(one, `${path}[${one.name ?? i}]`, found));
  else if (Object.keys(value).length === 0) found.set(path, {});
  else for (const [name, inner] of Object.entries(value)) flat(inner, path ? `${path}.${name}` : name, found);
  return found;
}

/**
 * Say why two studies' figures cannot be held against each other as those of one study can.
 *
 * @param {{job: object, dataset: object|null, results: object|null}} first
 * @param {{job: object, dataset: object|null, results: object|null}} second
 * @returns {Array<string>} Codes, the gravest first; the last is `descriptive`, always.
 */
export function reservations(first, second) {
  const found = [];
  const isSameData = first.job.dataset_id === second.job.dataset_id || (first.dataset?.digest && first.dataset.digest === second.dataset?.digest);
  if (!isSameData) found.push('data');
  const [a, b] = [first.job.spec, second.job.spec];
  const class_ = (side) => side.results?.rare_class ?? side.job.spec.rare_class;
  if (class_(first) !== class_(second)) found.push('rare_class');
  const subsets = (spec) => JSON.stringify([...(spec.benchmark?.subsets ?? [])].sort((x, y) => x - y));
  if (isSameData && subsets(a) !== subsets(b)) found.push('subsets');
  if (first.results && second.results) {
    const labels = new Set(countsOf(first.results).map(({ label }) => label));
    if (!countsOf(second.results).some(({ label }) => labels.has(label))) found.push('counts');
  }
  found.push('descriptive');
  return found;
}

/** The real counts of either: as `countsOf`. */
export function countsOfBoth(first, second) {
  const found = new Map([first, second].filter(Boolean).flatMap((results) => countsOf(results).map((count) => [`${count.label} ${count.n}`, count])));
  return [...found.values()].sort((a, b) => a.n - b.n || (a.label === 'all') - (b.label === 'all'));
}

/**
 * One figure of the arms that both have: second minus first.
 *
 * @returns {Array<{id: string, arm: string, label: string, n: number, first: object, second: object,
 *   difference: number}>}
 */
export function differencesOf(first, second, classifier, figure, arms) {
  return countsOf(first).flatMap(({ label, n }) =>
    arms.flatMap((arm) => {
      const [a, b] = [first, second].map((results) => summaryOf(results, classifier, arm, label)?.figures[figure]);
      return a && b ? [{ id: `${label} ${arm}`, arm, label, n, first: a, second: b, difference: b.mean - a.mean }] : [];
    }),
  );
}
