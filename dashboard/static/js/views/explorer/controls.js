/** Sliders, each with its number beside it, and a box that leaves a thing to the model. */

import { h, uid } from '../../core/dom.js';
import { number, t } from '../../core/i18n.js';

/** Seeds have 32 bits. */
export const LARGEST_SEED = 2 ** 32 - 1;

/** Return a seed by chance, small enough to be read out. */
export const anySeed = () => crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000;

/**
 * A slider.
 *
 * @param {{label: string, help?: string, min: number, max: number, step: number, value: number,
 *   free?: string, onChange: function(): void}} options `free` is the label of a box that, when
 *   ticked, leaves the choice to the model.
 * @returns {{node: HTMLElement, value: number|null}} A value of null: it is left to the model.
 */
export function slider({ label, help, min, max, step, value, free, onChange }) {
  const id = uid('slider');
  const output = h('output', { for: id, class: 'slider-value' });
  const input = h('input', {
    id, type: 'range', min, max, step, 'aria-describedby': help ? `${id}-help` : null,
    props: { value: String(value) },
  });
  const box = free && h('input', { type: 'checkbox', props: { checked: true } });
  const tell = () => {
    const isFree = Boolean(box?.checked);
    input.disabled = isFree;
    output.textContent = isFree ? '' : number(Number(input.value), 2);
  };
  input.addEventListener('input', () => (tell(), onChange()));
  box?.addEventListener('change', () => (tell(), onChange()));
  tell();
  return {
    node: h(
      'div',
      { class: 'slider' },
      h('div', { class: 'slider-head' }, h('label', { for: id }, label), output),
      input,
      help && h('p', { class: 'field-help', id: `${id}-help` }, help),
      box && h('label', { class: 'check small' }, box, free),
    ),
    get value() {
      return box?.checked ? null : Number(input.value);
    },
  };
}

/**
 * A field for a seed, with a button for one by chance.
 *
 * @returns {{node: HTMLElement, value: number}}
 */
export function seedField({ label, value, onChange }) {
  const id = uid('seed');
  const input = h('input', {
    id, type: 'number', min: 0, max: LARGEST_SEED, step: 1, inputmode: 'numeric', props: { value: String(value) },
  });
  const chance = h('button', { type: 'button', class: 'button button-small' }, t('models.any'));
  const fit = (given) => Math.min(LARGEST_SEED, Math.max(0, Math.trunc(Number(given) || 0)));
  input.addEventListener('change', () => {
    input.value = fit(input.value);
    onChange();
  });
  chance.addEventListener('click', () => {
    input.value = anySeed();
    onChange();
  });
  return {
    node: h('div', { class: 'field' }, h('label', { for: id }, label), h('div', { class: 'seed-row' }, input, chance)),
    get value() {
      return fit(input.value);
    },
    set value(seed) {
      input.value = fit(seed);
      onChange();
    },
  };
}

/**
 * The sliders that a model has: truncation, and where it has them category and codes.
 *
 * @param {object} model
 * @param {function(): void} onChange
 * @returns {{nodes: HTMLElement[], asked: function(): object}} `asked` gives the part of an
 *   `ImagesSpec`.
 */
export function modelSliders(model, onChange) {
  const truncation = slider({
    label: t('models.truncation'), help: t('models.truncation_help'), min: 0.1, max: 1, step: 0.05, value: 0.7,
    free: t('models.as_trained'), onChange,
  });
  const category =
    model.categories > 0 &&
    slider({
      label: t('models.category'), min: 0, max: model.categories - 1, step: 1, value: 0,
      free: t('models.each_its_own'), onChange,
    });
  const codesFree = model.codes > 0 && h('input', { type: 'checkbox', props: { checked: true } });
  const codes = Array.from({ length: model.codes }, (_, i) =>
    slider({ label: t('models.code', { n: i + 1 }), min: -1, max: 1, step: 0.05, value: 0, onChange: () => ((codesFree.checked = false), onChange()) }),
  );
  codesFree && codesFree.addEventListener('change', onChange);
  return {
    nodes: [
      truncation.node,
      category && category.node,
      codes.length > 0 &&
        h(
          'fieldset',
          { class: 'codes' },
          h('legend', null, t('models.codes')),
          h('label', { class: 'check small' }, codesFree, t('models.each_its_own')),
          codes.map((one) => one.node),
        ),
    ],
    asked() {
      const found = {};
      if (truncation.value !== null) found.truncation = truncation.value;
      if (category && category.value !== null) found.category = category.value;
      if (codes.length && !codesFree.checked) found.codes = codes.map((one) => one.value);
      return found;
    },
  };
}
