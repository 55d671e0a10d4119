/** What a study found: the verdict first, then the figure, then everything that they stand on. */

import { all, get } from '../core/api.js';
import { h } from '../core/dom.js';
import { loadWords, t } from '../core/i18n.js';
import { badge, button, empty, english, linkButton, pageHead, when } from '../parts/bits.js';
import { tabs } from '../parts/tabs.js';
import { chooseOther } from './compare/choose.js';
import { resultsOf } from './results/asking.js';
import { downloads } from './results/downloads.js';
import { figure } from './results/figure.js';
import { findings } from './results/findings.js';
import { patients } from './results/patients.js';
import { pictures } from './results/pictures.js';
import { privacy } from './results/privacy.js';
import { ratios } from './results/ratios.js';
import { comparisons, everyArm } from './results/tables.js';
import { answer } from './results/verdict.js';

/** Show a job's results, or why there are none. */
export async function view({ params, query, signal }) {
  await loadWords('results', 'compare');
  const here = `/v1/jobs/${params.id}`;
  const job = await get(here, { signal });
  const [found, artifacts, models] = await Promise.all([
    resultsOf(job, signal),
    all(`${here}/artifacts`, { signal }),
    all(`/v1/models?job_id=${params.id}`, { signal }),
  ]);
  const title = t('results.title', { name: job.name || job.id });
  const head = pageHead({
    title,
    crumbs: [[t('app.jobs'), '/jobs'], [job.name || job.id, `/jobs/${job.id}`]],
    lead: [badge(job.status), ' ', when(job.finished_at ?? job.created_at)],
    actions: [
      linkButton(t('results.to_job'), `#/jobs/${job.id}`),
      job.kind === 'study' && button(t('results.compare'), () => chooseOther(job)),
    ].filter(Boolean),
  });
  const body = found.results ? shown(found.results, { job, artifacts, models, query, signal }) : [nothing(found, job), artifacts.length > 0 && downloads(artifacts, models)];
  return { title, node: h('div', { class: 'page results' }, head, troubles(job), body) };
}

function shown(results, { job, artifacts, models, query, signal }) {
  const items = [
    ['arms', () => everyArm(results)],
    ['comparisons', () => comparisons(results)],
    results.ratios.length > 0 && ['ratios', () => ratios(results)],
    ['images', () => pictures(artifacts, signal)],
    ['privacy', () => privacy(results, job)],
    ['findings', () => findings(results)],
  ].filter(Boolean);
  const more = tabs(t('results.tabs'), items.map(([id, make]) => ({ id, label: t(`results.tab:${id}`), make: () => h('div', { class: 'stack stack-wide' }, make()) })));
  const toTab = (id) => {
    more.show(id);
    more.node.scrollIntoView({ block: 'start' });
    more.node.querySelector('[aria-selected="true"]')?.focus({ preventScroll: true });
  };
  return [h('div', { class: 'split results-top' }, answer(results, job, toTab), downloads(artifacts, models)), figure(results, query), patients(results), more.node];
}

/** A job that failed, in whole or in part, says so above everything. */
function troubles(job) {
  if (!job.error && !job.failures.length) return null;
  const said = [job.error, ...job.failures].filter(Boolean);
  return h(
    'div',
    { class: ['box', job.status === 'failed' ? 'box-danger' : 'box-warn'] },
    h('p', { class: 'box-title' }, t(job.status === 'failed' ? 'results.job_failed' : 'results.job_partial')),
    h('ul', null, said.slice(0, 8).map((one) => h('li', null, one.step && [h('code', null, one.step), ' '], english(one.detail)))),
    h('p', null, h('a', { href: `#/jobs/${job.id}` }, t('results.to_job'))),
  );
}

const nothing = ({ reason }, job) => h('div', { class: 'card' }, empty(t(`results.nothing_${reason}`), linkButton(t('results.to_job'), `#/jobs/${job.id}`, { kind: 'primary' })));
