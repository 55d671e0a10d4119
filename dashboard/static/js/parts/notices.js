/** What went wrong or has been done, said to everybody: shown, and read out. */

import { append, fill, h } from '../core/dom.js';
import { t, tOr } from '../core/i18n.js';

const polite = h('div', { class: 'visually-hidden', 'aria-live': 'polite' });
// A landmark of its own: it stands outside of all others, and what it says must be found.
const stack = h('section', { class: 'toasts' });

/** Put the places for notices into the page, once. */
export function installNotices(body) {
  stack.setAttribute('aria-label', t('app.notices'));
  append(body, polite, stack);
}

/** Have a screen reader say something when it is done with what it says now. */
export function say(text) {
  // A text that is said twice has to change in between.
  fill(polite, '');
  requestAnimationFrame(() => fill(polite, text));
}

/** Show for a while that something has been done. */
export function toast(text, { kind = 'ok', seconds = 6 } = {}) {
  const node = h('div', { class: ['toast', `toast-${kind}`] }, text);
  stack.append(node);
  say(text);
  setTimeout(() => node.remove(), seconds * 1000);
}

/** Return an error in plain words, with what can be done about it. */
export function wordsOf(error) {
  if (error.status === 0) return { title: t('app.unreachable'), hint: t('app.unreachable_hint') };
  return {
    title: tOr(`problems.${error.code}`, error.message),
    // A hint that is not translated is in English; better than none.
    hint: tOr(`problems.${error.code}_hint`, error.hint ?? ''),
    request: error.problem?.request_id ?? null,
  };
}

/** Return an error as a box that is read out. `again`, when given, tries once more. */
export function problemBox(error, again) {
  const { title, hint, request } = wordsOf(error);
  return h(
    'div',
    { class: 'box box-danger', role: 'alert' },
    h('p', { class: 'box-title' }, title),
    hint && h('p', null, hint),
    ...fieldErrors(error),
    request && h('p', { class: 'muted small' }, t('app.request', { id: request })),
    again && h('button', { class: 'button', type: 'button', on: { click: again } }, t('app.try_again')),
  );
}

/** What a validation says of single fields. */
function fieldErrors(error) {
  const found = error.problem?.errors;
  if (!Array.isArray(found)) return [];
  return [
    h(
      'ul',
      null,
      found.slice(0, 10).map((one) =>
        h('li', null, h('code', null, one.pointer ?? ''), ' ', one.detail ?? one.message ?? ''),
      ),
    ),
  ];
}
