/** Sixteen images of seeds that follow each other, as the sliders have it. */

import { fill, h } from '../../core/dom.js';
import { fixed, t } from '../../core/i18n.js';
import { say } from '../../parts/notices.js';
import { LARGEST_SEED, modelSliders, seedField } from './controls.js';
import { drawing } from './drawing.js';
import { grid, large, screenOf } from './showing.js';

const COUNT = 16;

/** @returns {HTMLElement} */
export function explore(model, signal) {
  const screen = screenOf();
  const picked = h('div', { class: 'picked' });
  let chosen = null;
  let shown = null;

  const pick = (index) => {
    chosen = shown.images[index].seed;
    fill(picked, large(shown, index, t('models.seed_n', { n: chosen })), h('p', { class: 'muted small' }, t('models.picked')));
  };

  const work = drawing(model, signal, {
    onBegin: screen.begin,
    onError: screen.fail,
    onImages(drawn, seconds) {
      shown = drawn;
      screen.show(
        grid(drawn, { label: (cell) => t('models.seed_n', { n: cell.seed }), onPick: pick }),
        drawn,
        seconds,
      );
      const again = drawn.images.findIndex((cell) => cell.seed === chosen);
      if (again >= 0) pick(again);
      else fill(picked);
      say(t('models.drawn', { n: drawn.images.length, seconds: fixed(seconds, 1) }));
    },
  });

  const want = () => work.want({ count: COUNT, first_seed: Math.min(seed.value, LARGEST_SEED - COUNT), ...sliders.asked() });
  const seed = seedField({ label: t('models.first_seed'), value: 0, onChange: want });
  const sliders = modelSliders(model, want);
  const turn = (by) => () => (seed.value = seed.value + by);
  want();
  return h(
    'div',
    { class: 'explorer' },
    h(
      'form',
      { class: 'card controls', 'aria-label': t('models.controls'), on: { submit: (event) => event.preventDefault() } },
      seed.node,
      h(
        'div',
        { class: 'actions' },
        h('button', { type: 'button', class: 'button button-small', on: { click: turn(-COUNT) } }, t('models.before', { n: COUNT })),
        h('button', { type: 'button', class: 'button button-small', on: { click: turn(COUNT) } }, t('models.after', { n: COUNT })),
      ),
      sliders.nodes,
    ),
    h('div', { class: 'card stage' }, screen.node, picked),
  );
}
