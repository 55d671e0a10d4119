/** Where images are shown, how long they take, and what may not be shown. */

import { fill, h } from '../../core/dom.js';
import { fixed, t } from '../../core/i18n.js';
import { progressBar } from '../../parts/bits.js';
import { problemBox } from '../../parts/notices.js';
import { cell } from '../../parts/sheet.js';

/** A wait that is longer than this is shown; shorter ones would only flicker. */
const PATIENCE = 400;
const SHOWN = 112;
const LARGE = 288;

/**
 * A place for a drawing, which stays while the next one is made.
 *
 * @returns {{node: HTMLElement, begin: function(): void, fail: function(Error): void,
 *   say: function(string): void, show: function(Node, object, number): void}}
 */
export function screenOf() {
  const bar = progressBar(t('models.drawing'));
  const waiting = h('div', { class: 'drawing', hidden: true }, bar.node);
  const images = h('div', { class: 'images' });
  const words = h('div', { class: 'stage-foot' });
  const head = h('p', { class: 'synthetic-tag' }, t('models.synthetic'));
  let timer = null;
  const done = () => {
    clearTimeout(timer);
    waiting.hidden = true;
    images.classList.remove('stale');
  };
  return {
    node: h('div', { class: 'screen', 'aria-busy': 'false' }, head, waiting, images, words),
    begin() {
      clearTimeout(timer);
      timer = setTimeout(() => {
        waiting.hidden = false;
        bar.set(null, t('models.drawing'));
        images.classList.add('stale');
      }, PATIENCE);
    },
    fail(error) {
      done();
      fill(words, problemBox(error));
    },
    say(text) {
      done();
      fill(words, h('p', { class: 'muted' }, text));
    },
    show(node, drawn, seconds) {
      done();
      fill(images, node);
      fill(
        words,
        h('p', { class: 'muted small' }, t('models.took', { seconds: fixed(seconds, 1) })),
        drawn.zip && h('a', { class: 'small', href: drawn.zip, download: true }, t('models.zip')),
        drawn.left_out.length > 0 && h('p', { class: 'small' }, t('models.left_out', { n: drawn.left_out.length })),
      );
    },
  };
}

/**
 * All images of a drawing; each is a button.
 *
 * @param {object} drawn
 * @param {{label: function(object): string, onPick: function(number): void}} options
 */
export function grid(drawn, { label, onPick }) {
  if (!drawn.images.length) return h('p', { class: 'empty' }, t('models.none_may_be_shown'));
  const buttons = drawn.images.map((one, index) =>
    h(
      'li',
      null,
      h(
        'button',
        { type: 'button', class: 'picture-button', 'aria-label': t('models.show_large', { which: label(one) }), on: { click: () => onPick(index) } },
        picture(drawn, index, '', SHOWN),
        h('span', { 'aria-hidden': 'true', class: 'small muted' }, one.position === undefined ? one.seed : one.position + 1),
      ),
    ),
  );
  return h('ul', { class: 'pictures', style: { '--cell': `${SHOWN}px` } }, buttons);
}

/** One image of a drawing, large. */
export const large = (drawn, index, text) =>
  h('figure', { class: 'large' }, picture(drawn, index, t('models.synthetic_image', { which: text }), LARGE), h('figcaption', null, text));

function picture(drawn, index, alt, shown) {
  const found = cell({ src: drawn.src, columns: drawn.columns, size: drawn.size, gap: drawn.gap, index, alt, shown });
  if (!alt) {
    // The button that it stands in says what it is.
    found.removeAttribute('role');
    found.removeAttribute('aria-label');
    found.setAttribute('aria-hidden', 'true');
  }
  return found;
}
