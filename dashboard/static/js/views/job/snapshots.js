/** A training's samples, snapshot by snapshot: the same seeds, so that one sees what is learnt. */

import { fill, h } from '../../core/dom.js';
import { number, t } from '../../core/i18n.js';
import { button } from '../../parts/bits.js';

const FRAME_MILLISECONDS = 700;

/**
 * @param {AbortSignal} signal
 * @returns {{node: HTMLElement, set: function(object): void}} `set` is given a course. It begins
 *   with the snapshot that is kept, or while it runs with the last, in whose place newer ones come.
 */
export function snapshots(signal) {
  const image = h('img', { class: 'sheet pixelated', alt: '' });
  const caption = h('p', { class: 'sheet-caption' });
  const range = h('input', { type: 'range', min: 0, step: 1, 'aria-label': t('job.snapshot') });
  const play = button('', () => flip(), { kind: 'small' });
  const marks = h('p', { class: 'muted small' });
  const none = h('p', { class: 'muted' }, t('job.no_snapshots'));
  const some = h(
    'div',
    { class: 'snapshots', hidden: true },
    h('div', { class: 'snapshots-bar' }, play, range),
    h('figure', { class: 'sheet-box' }, h('figcaption', null, h('span', { class: 'synthetic' }, t('job.synthetic')), caption), image),
    marks,
  );
  let course = null;
  let at = 0;
  let timer = null;

  const list = () => course?.snapshots ?? [];

  function draw() {
    const found = list();
    none.hidden = found.length > 0;
    some.hidden = found.length === 0;
    if (!found.length) return;
    const one = found[at];
    const words = t('job.epoch_of', { epoch: one.epoch, epochs: course.epochs });
    range.max = found.length - 1;
    range.value = at;
    range.disabled = found.length < 2;
    play.hidden = found.length < 2;
    const isChosen = course.chosen_epoch === one.epoch;
    range.setAttribute('aria-valuetext', isChosen ? `${words}, ${t('job.chosen')}` : words);
    fill(caption, h('strong', null, words), isChosen && h('span', { class: 'chosen-mark' }, ` ★ ${t('job.chosen')}`));
    if (image.getAttribute('src') !== one.links.content) image.src = one.links.content;
    image.alt = t('job.sheet_alt', { n: one.columns * one.rows, words });
    image.style.setProperty('--columns', one.columns);
    image.style.setProperty('max-inline-size', `${one.columns * Math.max(one.size, 96)}px`);
    fill(marks, t('job.same_seeds', { n: number(found.length) }));
    for (const near of [found[at + 1], found[at - 1]]) if (near) new Image().src = near.links.content;
    fill(play, timer === null ? `▶ ${t('job.play')}` : `❚❚ ${t('job.pause')}`);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
  }

  function flip() {
    if (timer !== null) stop();
    else {
      if (at === list().length - 1) at = 0;
      timer = setInterval(() => {
        // The next one waits until this one is to be seen.
        if (!image.complete) return;
        if (at >= list().length - 1) stop();
        else at += 1;
        draw();
      }, FRAME_MILLISECONDS);
    }
    draw();
  }

  range.addEventListener('input', () => {
    stop();
    at = Number(range.value);
    draw();
  });
  signal.addEventListener('abort', stop);

  return {
    node: h('div', null, none, some),
    set(next) {
      const isOther = course?.step !== next?.step;
      const wasLast = at >= list().length - 1;
      if (isOther) stop();
      course = next;
      const kept = list().findIndex((one) => one.epoch === course.chosen_epoch);
      if (isOther && course.is_final && kept !== -1) at = kept;
      else if (isOther || (wasLast && timer === null)) at = Math.max(0, list().length - 1);
      at = Math.min(at, Math.max(0, list().length - 1));
      draw();
    },
  };
}
