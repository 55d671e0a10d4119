/** What the service found in an upload, in plain words: the same thing said once, with its entries. */

import { h } from '../../core/dom.js';
import { language, number, t, tOr } from '../../core/i18n.js';
import { english } from '../../parts/bits.js';

/** So many numbers of entries are written out; the rest is counted. */
const LISTED = 30;

/**
 * Return problems as a list.
 *
 * @param {Array<{code: string, detail: string, hint: string, entry: number|null}>} problems
 */
export function problemList(problems) {
  return h('ul', { class: 'problems' }, grouped(problems).map(shown));
}

/** Put together what is the same but for the entry. */
function grouped(problems) {
  const groups = new Map();
  for (const problem of problems) {
    const key = `${problem.code}\n${problem.detail}`;
    if (!groups.has(key)) groups.set(key, { ...problem, entries: [] });
    if (problem.entry !== null) groups.get(key).entries.push(problem.entry);
  }
  return [...groups.values()].sort((a, b) => b.entries.length - a.entries.length);
}

function shown({ code, detail, hint, entries }) {
  // In English the service's own sentence says it best; elsewhere it stands below ours.
  const ours = language.value === 'en' ? undefined : tOr(`datasets.problem_${code}`, undefined);
  return h(
    'li',
    null,
    h('p', { class: 'problem-title' }, ours ?? english(detail)),
    ours && h('p', { class: 'muted small' }, english(detail)),
    hint && h('p', { class: 'problem-hint' }, ours ? tOr(`datasets.problem_${code}_hint`, english(hint)) : english(hint)),
    entries.length > 0 && h('p', { class: 'muted small' }, entriesSaid(entries)),
  );
}

function entriesSaid(entries) {
  const named = entries.slice(0, LISTED).map((n) => number(n)).join(', ');
  const more = entries.length - LISTED;
  const said = t('datasets.entries', { n: entries.length, list: named });
  return more > 0 ? `${said} ${t('datasets.entries_more', { n: more })}` : said;
}
