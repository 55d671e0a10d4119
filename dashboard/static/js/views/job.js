/** A job while it runs, and what is left of it afterwards. */

import { get } from '../core/api.js';
import { fill, h } from '../core/dom.js';
import { loadWords, t } from '../core/i18n.js';
import { badge, english, linkButton, pageHead, section, when } from '../parts/bits.js';
import { tabs } from '../parts/tabs.js';
import { actions } from './job/actions.js';
import { files } from './job/files.js';
import { follow } from './job/follow.js';
import { graph } from './job/graph.js';
import { log } from './job/log.js';
import { isTraining } from './job/naming.js';
import { progress } from './job/progress.js';
import { settings } from './job/settings.js';
import { openStep } from './job/step.js';
import { steps } from './job/steps.js';
import { training } from './job/training.js';

/** Show a job. */
export async function view({ params, signal }) {
  // Of models: what GANs are called.
  await loadWords('job', 'models');
  let state;
  try {
    state = await follow(params.id, signal);
  } catch (error) {
    if (error.status !== 404) throw error;
    return nowhere();
  }
  const job = state.job.value;
  const title = job.name || t(`job.unnamed_${job.kind}`);
  const shown = views(state, signal);
  const node = h(
    'div',
    { class: 'page job' },
    pageHead({ title, crumbs: [[t('app.jobs'), '/jobs']], lead: about(state, signal), actions: [buttons(state, signal)] }),
    progress(state, signal),
    shown.node,
  );
  return { title, node };
}

function nowhere() {
  const title = t('job.not_here');
  return {
    title,
    node: h(
      'div',
      { class: 'page' },
      pageHead({ title, crumbs: [[t('app.jobs'), '/jobs']], lead: t('job.not_here_text') }),
      h('div', { class: 'actions' }, linkButton(t('job.to_jobs'), '#/jobs')),
    ),
  };
}

/** State, kind, data set and times, in a line. */
function about(state, signal) {
  const mark = h('span');
  const times = h('span');
  const job = state.job.value;
  const dataset = h('a', { href: `#/datasets/${job.dataset_id}` }, t('job.dataset'));
  let told = '';
  const draw = () => {
    const { status, created_at: created, started_at: started, finished_at: finished } = state.job.value;
    const now = JSON.stringify([status, started, finished]);
    if (now === told) return;
    told = now;
    fill(mark, badge(status));
    const [word, time] = finished ? ['job.ended_when', finished] : started ? ['job.started_when', started] : ['job.asked_when', created];
    fill(times, t(word), ' ', when(time));
  };
  state.job.subscribe(draw, signal);
  draw();
  // Its name is nicer; it may have been deleted since.
  get(`/v1/datasets/${encodeURIComponent(job.dataset_id)}`, { signal }).then(
    (found) => found.name && fill(dataset, found.name),
    (error) => error.status === 404 && dataset.replaceWith(t('job.dataset_gone')),
  );
  return h(
    'ul',
    { class: 'about' },
    h('li', null, mark),
    h('li', null, t(`job.kind_${job.kind}`)),
    h('li', null, t('job.dataset_label'), ' ', dataset),
    h('li', null, times),
    job.retry_of && h('li', null, h('a', { href: `#/jobs/${job.retry_of}` }, t('job.retry_of'))),
  );
}

function buttons(state, signal) {
  const place = h('div', { class: 'actions' });
  let status = null;
  const draw = (job) => {
    if (job.status === status) return;
    status = job.status;
    const hadFocus = place.contains(document.activeElement);
    fill(place, actions(state));
    if (hadFocus) place.querySelector('a, button')?.focus();
  };
  state.job.subscribe(draw, signal);
  draw(state.job.value);
  return place;
}

function views(state, signal) {
  const job = state.job.value;
  let trained = null;
  const onTraining = (name) => {
    shown.show('training');
    trained?.choose(name);
  };
  const onOpen = (name) => openStep(state, name, { signal, onTraining });
  const hasTraining = state.steps.value.some(isTraining);
  const items = [
    { id: 'course', label: t('job.tab_course'), make: () => h('div', { class: 'course' }, section(t('job.graph'), graph(state, { signal, onOpen })), advice(job)) },
    hasTraining && { id: 'training', label: t('job.tab_training'), make: () => (trained = training(state, signal)).node },
    { id: 'steps', label: t('job.steps'), make: () => steps(state, { signal, onOpen }) },
    { id: 'log', label: t('job.log'), make: () => log(state, signal) },
    { id: 'files', label: t('job.files'), make: () => files(state, signal) },
    job.kind !== 'ingest' && { id: 'settings', label: t('job.settings'), make: () => settings(job) },
  ].filter(Boolean);
  // What an images job is about is its pictures.
  if (job.kind === 'images') items.unshift(items.splice(items.findIndex((one) => one.id === 'files'), 1)[0]);
  const shown = tabs(t('job.parts'), items);
  return shown;
}

const advice = (job) =>
  job.advice.length > 0 && section(t('job.advice'), h('ul', { class: 'advice' }, job.advice.map((text) => h('li', null, english(text)))));
