/** Fields of a job that know more than the schema does: data sets, classes, profiles. */

import { fill, h } from '../../core/dom.js';
import { number, t } from '../../core/i18n.js';
import { frame } from '../../parts/schema_form/frame.js';
import { choicesOf } from '../../parts/schema_form/schema.js';

/** The training images of each class of a data set. */
export const trainingCounts = (dataset) =>
  Object.fromEntries(Object.entries(dataset?.classes ?? {}).map(([name, splits]) => [name, splits.train ?? 0]));

/** A data set of those that are ready. */
export const datasetField = (datasets) =>
  function make(context, { path, schema }) {
    const around = frame(context, { path, schema });
    const select = h('select', { id: around.id, required: true }, h('option', { value: '' }, t('new_job.choose_dataset')));
    for (const one of datasets) {
      const counts = Object.entries(trainingCounts(one)).map(([name, n]) => `${name} ${number(n)}`);
      select.append(h('option', { value: one.id }, `${one.name || one.id} (${counts.join(', ')})`));
    }
    select.addEventListener('change', () => (select.value ? context.set(path, select.value) : context.drop(path)));
    fill(around.place, select);
    around.about(select);
    return {
      node: around.node,
      fail: around.fail,
      focus: () => select.focus(),
      refresh() {
        select.value = context.sheet.get(path) ?? '';
        // One that is asked for, but is not ready or gone, is said so.
        if (select.selectedIndex === -1) select.value = '';
      },
      wrong: () => (datasets.some((one) => one.id === context.sheet.get(path)) ? null : t('new_job.choose_dataset_first')),
    };
  };

/** A class of the data set that is chosen. */
export const rareClassField = (datasetOf) =>
  function make(context, { path, schema }) {
    const around = frame(context, { path, schema });
    const select = h('select', { id: around.id });
    fill(around.place, select);
    around.about(select);
    select.addEventListener('change', () => (select.value ? context.set(path, select.value) : context.drop(path)));
    let drawn = null;
    return {
      node: around.node,
      fail: around.fail,
      focus: () => select.focus(),
      refresh() {
        const counts = trainingCounts(datasetOf());
        const below = context.sheet.below(path, schema);
        const state = JSON.stringify([counts, context.sheet.get(path) ? null : below]);
        if (state !== drawn) {
          drawn = state;
          const smallest = Object.keys(counts).sort((a, b) => counts[a] - counts[b])[0];
          fill(
            select,
            h('option', { value: '' }, smallest ? t('new_job.smallest_class', { name: smallest, n: counts[smallest] }) : t('new_job.smallest')),
            Object.entries(counts).map(([name, n]) => h('option', { value: name }, t('new_job.class_count', { name, n }))),
          );
        }
        select.value = context.sheet.get(path) ?? '';
        around.mark();
      },
      wrong() {
        const given = context.sheet.get(path);
        return !given || given in trainingCounts(datasetOf()) ? null : t('new_job.no_such_class', { name: given });
      },
    };
  };

/** The profile, as cards that say what each is for. */
export function profileField(context, { path, schema }) {
  const around = frame(context, { path, schema, isGroup: true });
  const inputs = choicesOf(schema).map((value) => {
    const input = h('input', { type: 'radio', name: around.id, value });
    input.addEventListener('change', () => context.set(path, value));
    return input;
  });
  fill(
    around.place,
    h(
      'div',
      { class: 'profiles' },
      inputs.map((input) =>
        h(
          'label',
          { class: 'profile' },
          h('span', { class: 'profile-name' }, input, context.words.value(path, input.value)),
          h('span', { class: 'muted small' }, t(`new_job.profile_${input.value}`)),
        ),
      ),
    ),
  );
  inputs.forEach(around.about);
  return {
    node: around.node,
    fail: around.fail,
    focus: () => (inputs.find((one) => one.checked) ?? inputs[0]).focus(),
    refresh() {
      const value = context.sheet.get(path) ?? schema.default;
      for (const input of inputs) input.checked = input.value === value;
      around.mark();
    },
    wrong: () => null,
  };
}
