/** The first view: what goes on, and where to begin. */

import { all, get } from '../core/api.js';
import { h } from '../core/dom.js';
import { loadWords, percent, t } from '../core/i18n.js';
import { badge, left, linkButton, section, when } from '../parts/bits.js';
import { may } from '../parts/shell.js';

const SHOWN = 5;

/** Show what goes on. */
export async function view({ signal }) {
  await loadWords('home');
  const [running, done, datasets, models] = await Promise.all([
    all('/v1/jobs?kind=study&status=running&limit=5', { most: SHOWN, signal }),
    get('/v1/jobs?kind=study&limit=6', { signal }),
    get('/v1/datasets?limit=5', { signal }),
    get('/v1/models?limit=5', { signal }),
  ]);
  const recent = done.items.filter((job) => job.status !== 'running').slice(0, SHOWN);
  const title = t('home.title');
  const node = h(
    'div',
    { class: 'page home' },
    h(
      'header',
      { class: 'hero' },
      h('h1', { tabindex: -1 }, title),
      h('p', { class: 'lead' }, t('home.lead')),
      may('researcher') &&
        h(
          'div',
          { class: 'actions' },
          linkButton(t('home.upload'), '#/datasets', { kind: datasets.items.length ? '' : 'primary' }),
          datasets.items.length > 0 && linkButton(t('home.new_job'), '#/jobs/new', { kind: 'primary' }),
        ),
    ),
    datasets.items.length === 0 ? steps() : [],
    running.length > 0 && section(t('home.running'), h('ul', { class: 'cards' }, running.map(card))),
    recent.length > 0 && section(t('home.recent'), h('ul', { class: 'cards' }, recent.map(card))),
    datasets.items.length > 0 &&
      section(
        t('home.datasets'),
        h('ul', { class: 'cards' }, datasets.items.map((one) => item(`/datasets/${one.id}`, one.name || one.id, badge(one.status), when(one.created_at)))),
      ),
    models.items.length > 0 &&
      section(
        t('home.models'),
        h(
          'ul',
          { class: 'cards' },
          models.items.map((one) => item(`/models/${one.id}`, t('home.model', { gan: one.gan, n: one.real_count, size: one.image_size }), null, when(one.created_at))),
        ),
      ),
  );
  return { title, node };
}

const item = (address, name, mark, right) =>
  h('li', null, h('a', { class: 'card-link', href: `#${address}` }, h('span', { class: 'card-name' }, name), mark ?? h('span'), h('span', { class: 'muted' }, right)));

function card(job) {
  const { progress } = job;
  const right = job.finished_at ? when(job.finished_at) : `${percent(progress.fraction)} ${left(progress.eta_seconds)}`;
  const address = job.status === 'succeeded' ? `/jobs/${job.id}/results` : `/jobs/${job.id}`;
  return item(address, job.name || job.id, badge(job.status), right);
}

const steps = () =>
  h(
    'ol',
    { class: 'first-steps' },
    ['one', 'two', 'three'].map((n) => h('li', { class: 'card' }, h('h2', null, t(`home.step_${n}`)), h('p', null, t(`home.step_${n}_text`)))),
  );
