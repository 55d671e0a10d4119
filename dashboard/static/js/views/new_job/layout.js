/** Where the fields of a job stand: what most people set first, everything else folded away. */

import { h } from '../../core/dom.js';
import { t } from '../../core/i18n.js';
import { section } from '../../parts/bits.js';

/** Within a card of a list: which fields are in sight. */
export const FIRST = {
  gans: ['name', 'image_size', 'epochs', 'batch_size', 'real_counts'],
  schedule: ['up_to', 'batch_size', 'epochs'],
};

/** Fields that are the service's to fill in. */
export const HIDDEN = ['/chosen_because'];

/**
 * Lay out the whole form.
 *
 * @param {object} form Of `schemaForm`.
 * @param {object} schema JobSpec, by which a field that is gone or new is noticed.
 * @returns {Array<Node>}
 */
export function layOut(form, schema) {
  const has = (pointer) => pointer.slice(1).split('/')[0] in schema.properties;
  const place = (...pointers) => pointers.filter(has).map((pointer) => form.place(pointer));
  const more = (pointer, label) => has(pointer || '/dataset_id') && folded(label, form.rest(pointer));
  const fields = (...nodes) => h('div', { class: 'fields' }, nodes);
  return [
    section(t('new_job.section_data'), fields(place('/dataset_id', '/name')), place('/profile')),
    section(t('new_job.section_question'), fields(place('/rare_class', '/balance_to')), place('/real_counts')),
    section(t('new_job.section_gans'), place('/gans')),
    section(
      t('new_job.section_images'),
      fields(place('/upscale/engine', '/upscale/size', '/output/format', '/output/size')),
      fields(place('/screen/near_copies', '/screen/label', '/screen/off_manifold', '/screen/diverse')),
      folded(t('new_job.more_images'), [form.rest('/upscale'), form.rest('/screen'), form.rest('/output')]),
    ),
    section(
      t('new_job.section_benchmark'),
      place('/benchmark/classifiers'),
      fields(place('/benchmark/subsets', '/benchmark/seeds')),
      more('/benchmark', t('new_job.more_benchmark')),
    ),
    rest(form.rest('')),
  ];
}

function folded(label, content) {
  const nodes = [content].flat().filter(Boolean);
  return nodes.length > 0 && h('details', { class: 'more' }, h('summary', null, label), nodes);
}

const rest = (node) => node && section(t('new_job.section_rest'), node);
