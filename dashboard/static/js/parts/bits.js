/** Small things that many views show. */

import { fill, h, uid } from '../core/dom.js';
import { ago, date, duration, percent, t, tOr } from '../core/i18n.js';

const TONES = {
  queued: 'calm', pending: 'calm', ingesting: 'busy', running: 'busy', cancelling: 'warn',
  succeeded: 'ok', ready: 'ok', failed: 'danger', rejected: 'danger', cancelled: 'calm', skipped: 'calm',
};
const MARKS = { calm: '○', busy: '◐', ok: '●', warn: '▲', danger: '✕' };

/** How a state is shown: `calm`, `busy`, `ok`, `warn` or `danger`, and the mark of that. */
export function toneOf(status) {
  const tone = TONES[status] ?? 'calm';
  return { tone, mark: MARKS[tone] };
}

/** A state in a word, with a mark, so that colour is not the only sign. */
export function badge(status) {
  const { tone, mark } = toneOf(status);
  return h(
    'span',
    { class: ['badge', `badge-${tone}`] },
    h('span', { 'aria-hidden': 'true', class: 'badge-mark' }, mark),
    tOr(`app.status_${status}`, status),
  );
}

/** A time: how long ago, and when in full on hovering; a machine reads it exactly. */
export const when = (iso) => (iso ? h('time', { datetime: iso, title: date(iso) }, ago(iso)) : h('span', null, '–'));

/**
 * A bar of progress.
 *
 * @param {string} label What it measures, read out.
 * @returns {{node: HTMLElement, set: function(number|null, string=): void}} A fraction of null: it is not known.
 */
export function progressBar(label) {
  const fillPart = h('div', { class: 'bar-fill' });
  const bar = h(
    'div',
    { class: 'bar', role: 'progressbar', 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100 },
    fillPart,
  );
  const words = h('p', { class: 'bar-words' });
  return {
    node: h('div', { class: 'bar-box' }, bar, words),
    set(fraction, text = '') {
      bar.classList.toggle('bar-unknown', fraction === null);
      if (fraction === null) {
        bar.removeAttribute('aria-valuenow');
        fillPart.style.removeProperty('inline-size');
      } else {
        bar.setAttribute('aria-valuenow', Math.round(fraction * 100));
        fillPart.style.setProperty('inline-size', `${fraction * 100}%`);
      }
      if (words.textContent !== text) fill(words, text);
      bar.setAttribute('aria-valuetext', text || (fraction === null ? t('app.loading') : percent(fraction)));
    },
  };
}

/** How much longer, in words; nothing where it is not known. */
export const left = (seconds) => (seconds === null || seconds === undefined ? '' : t('app.left', { time: duration(seconds) }));

/** The head of a view: where it belongs, its title, what can be done. */
export function pageHead({ title, crumbs = [], lead = null, actions = [] }) {
  return h(
    'header',
    { class: 'page-head' },
    crumbs.length > 0 &&
      h(
        'nav',
        { class: 'crumbs', 'aria-label': t('app.crumbs') },
        h('ol', null, crumbs.map(([label, address]) => h('li', null, h('a', { href: `#${address}` }, label)))),
      ),
    h(
      'div',
      { class: 'page-title' },
      h('h1', { tabindex: -1 }, title),
      actions.length > 0 && h('div', { class: 'actions' }, actions),
    ),
    lead && h('div', { class: 'lead' }, lead),
  );
}

/** A part of a view with a heading; `level` 2 or 3. */
export function section(title, ...children) {
  const id = uid('section');
  return h('section', { class: 'card', 'aria-labelledby': id }, h('h2', { id }, title), children);
}

/** Nothing yet, and what to do about it. */
export const empty = (text, action) => h('div', { class: 'empty' }, h('p', null, text), action);

/** Terms and what they are. */
export const facts = (entries) =>
  h(
    'dl',
    { class: 'facts' },
    entries.filter(Boolean).map(([term, value]) => h('div', null, h('dt', null, term), h('dd', null, value))),
  );

/** A text of the service, which is in English in every language of the page. */
export const english = (text, tag = 'span') => h(tag, { lang: 'en' }, text);

/** A button; `onClick` may return a promise, until whose end it cannot be pressed again. */
export function button(label, onClick, { kind = '', icon = null, ...props } = {}) {
  const node = h('button', { type: 'button', class: ['button', kind && `button-${kind}`], ...props }, icon, label);
  node.addEventListener('click', async (event) => {
    if (node.getAttribute('aria-disabled') === 'true') return;
    node.setAttribute('aria-disabled', 'true');
    try {
      await onClick(event);
    } finally {
      node.removeAttribute('aria-disabled');
    }
  });
  return node;
}

/** A link that looks like a button. */
export const linkButton = (label, address, { kind = '', ...props } = {}) =>
  h('a', { class: ['button', kind && `button-${kind}`], href: address, ...props }, label);

/**
 * A field of a form with its label, what it means, and what is wrong with it.
 *
 * @param {string} label
 * @param {HTMLElement} input
 * @param {{help?: any}} [options]
 * @returns {{node: HTMLElement, fail: function(string|null): void}}
 */
export function field(label, input, { help = null } = {}) {
  input.id ||= uid('field');
  const helpId = `${input.id}-help`;
  const errorId = `${input.id}-error`;
  const error = h('p', { class: 'field-error', id: errorId });
  if (help) input.setAttribute('aria-describedby', helpId);
  const node = h(
    'div',
    { class: 'field' },
    h('label', { for: input.id }, label),
    input,
    help && h('p', { class: 'field-help', id: helpId }, help),
    error,
  );
  return {
    node,
    fail(text) {
      fill(error, text ?? '');
      node.classList.toggle('field-wrong', Boolean(text));
      input.setAttribute('aria-invalid', text ? 'true' : 'false');
      const about = [help && helpId, text && errorId].filter(Boolean).join(' ');
      if (about) input.setAttribute('aria-describedby', about);
      else input.removeAttribute('aria-describedby');
    },
  };
}
