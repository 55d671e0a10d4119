/** What the fields of a job are called, and what they mean. */

import { h } from '../../core/dom.js';
import { t, tOr } from '../../core/i18n.js';
import { english } from '../../parts/bits.js';

// The kinds of GAN write their settings alike, and most fields of the same name mean the same.
const nameOf = (path) => path.filter((part) => typeof part === 'string').join('_');

/** Names for `schemaForm`; `gans` gives the GANs as they stand, for the names of their cards. */
export const formWords = (gans) => ({
  label(path, schema) {
    const own = nameOf(path);
    return tOr(`new_job.label_${own}`, tOr(`new_job.label_${path.at(-1)}`, humanised(schema.title ?? path.at(-1))));
  },
  help(path, schema) {
    const told = tOr(`new_job.help_${nameOf(path)}`, null);
    // What we have no words for the service describes itself, in English.
    return told ?? (schema.description ? english(withCode(schema.description)) : null);
  },
  value: (path, value) => tOr(`new_job.value_${value}`, String(value)),
  none: (path) => tOr(`new_job.none_${nameOf(path)}`, t('form.none')),
  own: (path, schema) => t(schema.type === 'array' ? 'form.own_choice' : schema.type === 'object' ? 'form.own_object' : 'form.own_number'),
  add: (path) => tOr(`new_job.add_${nameOf(path)}`, t('form.add')),
  empty: (path) => tOr(`new_job.empty_${nameOf(path)}`, t('form.empty')),
  more: () => t('new_job.more_gan'),
  item(path) {
    if (path[0] === 'gans' && path.length === 2) {
      const name = gans()[path[1]]?.name;
      return name ? t(`new_job.value_${name}`) : t('new_job.gan_n', { n: path[1] + 1 });
    }
    return t('new_job.row_n', { n: path.at(-1) + 1 });
  },
});

/** A description with what stands in double backticks set as code. */
function withCode(text) {
  return text
    .replaceAll('\n', ' ')
    .split('``')
    .map((part, i) => (i % 2 ? h('code', null, part) : part));
}

const humanised = (name) => {
  const text = String(name).replaceAll('_', ' ');
  return text[0].toUpperCase() + text.slice(1).toLowerCase();
};
