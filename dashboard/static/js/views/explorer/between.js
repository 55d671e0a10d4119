/** The way from one seed's image to another's. */

import { fill, h } from '../../core/dom.js';
import { fixed, t } from '../../core/i18n.js';
import { say } from '../../parts/notices.js';
import { anySeed, modelSliders, seedField, slider } from './controls.js';
import { drawing } from './drawing.js';
import { grid, large, screenOf } from './showing.js';

/** @returns {HTMLElement} */
export function between(model, signal) {
  const screen = screenOf();
  const walk = h('div', { class: 'picked' });
  const work = drawing(model, signal, {
    onBegin: screen.begin,
    onError: screen.fail,
    onImages(drawn, seconds) {
      screen.show(
        grid(drawn, {
          label: (cell) => t('models.step_n', { n: cell.position + 1 }),
          onPick: (index) => show(drawn, index),
        }),
        drawn,
        seconds,
      );
      fill(walk);
      if (drawn.images.length) show(drawn, 0);
      say(t('models.drawn', { n: drawn.images.length, seconds: fixed(seconds, 1) }));
    },
  });

  function show(drawn, index) {
    const place = h('div');
    const at = (i) => fill(place, large(drawn, i, t('models.step_n', { n: drawn.images[i].position + 1 })));
    const input = h('input', {
      type: 'range', min: 0, max: drawn.images.length - 1, step: 1, 'aria-label': t('models.walk'), props: { value: String(index) },
    });
    input.addEventListener('input', () => at(Number(input.value)));
    at(index);
    fill(walk, place, input);
  }

  const want = () => {
    if (from.value === to.value) return screen.say(t('models.same_seed'));
    return work.want({ interpolate: { from_seed: from.value, to_seed: to.value, steps: steps.value }, ...sliders.asked() });
  };
  const from = seedField({ label: t('models.from_seed'), value: 0, onChange: want });
  const to = seedField({ label: t('models.to_seed'), value: anySeed() + 1, onChange: want });
  const steps = slider({ label: t('models.steps'), min: 4, max: 32, step: 4, value: 8, onChange: want });
  const sliders = modelSliders(model, want);
  want();
  return h(
    'div',
    { class: 'explorer' },
    h(
      'form',
      { class: 'card controls', 'aria-label': t('models.controls'), on: { submit: (event) => event.preventDefault() } },
      from.node, to.node, steps.node, sliders.nodes,
    ),
    h('div', { class: 'card stage' }, screen.node, walk),
  );
}
