/** One generator: what it was trained on, and what it makes. */

import { get } from '../core/api.js';
import { h } from '../core/dom.js';
import { bytes, fixed, loadWords, number, t } from '../core/i18n.js';
import { facts, linkButton, pageHead, section, when } from '../parts/bits.js';
import { may } from '../parts/shell.js';
import { tabs } from '../parts/tabs.js';
import { between } from './explorer/between.js';
import { explore } from './explorer/explore.js';
import { makeMany } from './explorer/many.js';
import { ganName } from './models.js';

/** Show a model. */
export async function view({ params, signal }) {
  await loadWords('models');
  const model = await get(`/v1/models/${params.id}`, { signal });
  const title = t('models.named', { gan: ganName(model.gan), n: model.real_count });
  const node = h(
    'div',
    { class: 'page explorer-page' },
    pageHead({
      title,
      crumbs: [[t('models.title'), '/models']],
      lead: t('models.named_lead', { class: model.rare_class }),
      actions: [
        may('researcher') && makeMany(model),
        linkButton(t('models.weights'), model.links.content, { download: true }),
      ].filter(Boolean),
    }),
    may('researcher')
      ? tabs(t('models.ways'), [
          { id: 'explore', label: t('models.explore'), make: () => explore(model, signal) },
          { id: 'between', label: t('models.between'), make: () => between(model, signal) },
        ]).node
      : h('p', { class: 'box' }, t('models.needs_researcher')),
    about(model),
  );
  return { title, node };
}

function about(model) {
  const { quality, card } = model;
  return h(
    'div',
    { class: 'columns' },
    section(
      t('models.about'),
      facts([
        [t('models.real'), number(model.real_count)],
        [t('models.pixels'), `${model.image_size} × ${model.image_size}`],
        [t('models.subset'), String(model.subset)],
        [t('models.made'), when(model.created_at)],
        [t('models.file'), bytes(model.size)],
        [t('models.study'), h('a', { href: `#/jobs/${model.job_id}` }, t('models.to_study'))],
        [t('models.dataset'), h('a', { href: `#/datasets/${model.dataset_id}` }, t('models.to_dataset'))],
      ]),
    ),
    quality &&
      section(
        t('models.quality'),
        facts(
          ['kid', 'precision', 'recall', 'density', 'coverage']
            .filter((name) => typeof quality[name] === 'number')
            .map((name) => [t(`models.${name}`), fixed(quality[name])]),
        ),
        h('p', { class: 'muted small' }, t('models.quality_note')),
      ),
    card.privacy &&
      section(
        t('models.privacy'),
        facts([
          ['ε', fixed(card.privacy.epsilon, 2)],
          ['δ', String(card.privacy.delta)],
        ]),
        h('p', { class: 'muted small' }, t('models.privacy_note')),
      ),
  );
}
