/** A new job: a form made of the service's own schema, and beside it what would come of it. */

import { all, get, post, randomId, session } from '../core/api.js';
import { h } from '../core/dom.js';
import { loadWords, t } from '../core/i18n.js';
import { go } from '../core/router.js';
import { button, empty, linkButton, pageHead } from '../parts/bits.js';
import { schemaForm } from '../parts/schema_form.js';
import { pathOf } from '../parts/schema_form/schema.js';
import { may } from '../parts/shell.js';
import { datasetField, profileField, rareClassField } from './new_job/custom.js';
import { dryRun } from './new_job/dry_run.js';
import { FIRST, HIDDEN, layOut } from './new_job/layout.js';
import { planPanel } from './new_job/plan.js';
import { share } from './new_job/sharing.js';
import { formWords } from './new_job/words.js';

// What a refusal without `errors` is about.
const FIELD_OF = {
  unknown_class: '/rare_class', real_count_too_large: '/real_counts', unknown_real_count: '/gans', gan_twice: '/gans',
};

// What was typed outlives a change of language, which shows the view anew; nothing else.
let draft = null;

/** Show the form. */
export async function view({ query, signal }) {
  await loadWords('form', 'new_job');
  const title = t('new_job.title');
  const head = pageHead({ title, crumbs: [[t('app.jobs'), '/jobs']], lead: t('new_job.lead') });
  if (!may('researcher')) return { title, node: h('div', { class: 'page' }, head, empty(t('new_job.only_researchers'))) };
  const [document, datasets, from] = await Promise.all([
    get('/openapi.json', { signal }),
    all('/v1/datasets?limit=200', { most: 1000, signal }),
    query.get('from') ? get(`/v1/jobs/${encodeURIComponent(query.get('from'))}`, { signal }) : null,
  ]);
  const ready = datasets.filter((one) => one.status === 'ready');
  if (ready.length === 0) {
    const upload = linkButton(t('new_job.upload'), '#/datasets', { kind: 'primary' });
    return { title, node: h('div', { class: 'page' }, head, empty(t('new_job.no_datasets'), upload)) };
  }
  return { title, node: page(head, document.components.schemas, ready, begin(query, from, ready), signal) };
}

/** What the form begins with: what was typed, another job's spec, or a data set. */
function begin(query, from, ready) {
  const address = `${session.value.me.id} ${query}`;
  if (draft?.address === address) return draft;
  const given = from?.kind === 'study' ? structuredClone(from.requested) : {};
  const wanted = query.get('dataset');
  if (wanted) given.dataset_id = wanted;
  else if (ready.length === 1) given.dataset_id ??= ready[0].id;
  draft = { address, given };
  return draft;
}

function page(head, schemas, datasets, kept, signal) {
  const datasetOf = () => datasets.find((one) => one.id === form.get('/dataset_id'));
  const words = formWords(() => form.holds('/gans') ?? []);
  const schema = schemas.JobSpec;
  const form = schemaForm({
    schema,
    schemas,
    given: kept.given,
    words,
    hidden: HIDDEN,
    layout: (path) => ({ first: FIRST[path.filter((part) => typeof part === 'string').at(-1)] ?? [] }),
    seed: (path, list) => seeded(path, list, form.holds('/profile')),
    custom: { '/dataset_id': datasetField(datasets), '/rare_class': rareClassField(datasetOf), '/profile': profileField },
    onChange: replan,
  });

  const submit = () => button(t('new_job.submit'), send, { kind: 'primary' });
  const panel = planPanel({
    onGo: (pointer) => form.focus(pointer),
    labelOf: (pointer) => labelOf(pointer, words),
    again: () => replan(),
    actions: [submit(), button(t('new_job.copy_as'), () => share(form.value()))],
  });
  const plan = dryRun({
    signal,
    onState(state, found) {
      if (state === 'asking') panel.asking();
      else if (state === 'planned') {
        form.inherit(found.spec);
        form.fail([]);
        panel.show(found);
      } else {
        mark(found, state === 'refused');
        panel.refuse(found, state === 'refused');
      }
    },
  });

  function replan() {
    kept.given = form.value();
    panel.notSent(null);
    const wrongs = form.wrongs();
    if (wrongs.length) {
      plan(null);
      panel.wait(wrongs);
    } else plan(form.value());
  }

  function mark(error, isAnswer) {
    const field = FIELD_OF[error.code];
    form.fail(isAnswer ? (error.problem?.errors ?? (field ? [{ pointer: field, detail: error.message }] : [])) : []);
  }

  // Sent again after a break it is the same job; changed, it is another.
  let sent = { text: null, key: null };
  async function send() {
    const wrongs = form.wrongs();
    if (wrongs.length) {
      panel.wait(wrongs);
      return form.focus(wrongs[0].pointer);
    }
    const spec = form.value();
    const text = JSON.stringify(spec);
    if (sent.text !== text) sent = { text, key: randomId() };
    panel.notSent(null);
    try {
      const job = await post('/v1/jobs', spec, { once: sent.key });
      draft = null;
      return go(`/jobs/${job.id}`);
    } catch (error) {
      const isAnswer = error.status >= 400 && error.status < 500;
      mark(error, isAnswer);
      panel.notSent(error, isAnswer);
      const first = error.problem?.errors?.[0]?.pointer ?? FIELD_OF[error.code];
      return first && form.focus(first);
    }
  }

  const body = h('form', { class: 'new-job-form', novalidate: true, 'aria-label': t('new_job.title') }, layOut(form, schema));
  // Enter in a field is no wish to spend hours of a GPU.
  body.addEventListener('submit', (event) => event.preventDefault());
  const toPlan = h('button', { type: 'button', class: 'as-link' }, t('new_job.see_plan'));
  toPlan.addEventListener('click', () => {
    panel.node.scrollIntoView();
    panel.node.querySelector('h2').focus({ preventScroll: true });
  });
  form.refresh();
  replan();
  return h(
    'div',
    { class: 'page new-job' },
    head,
    h('div', { class: 'new-job-split' }, body, h('div', { class: 'plan-side' }, panel.node)),
    h('div', { class: 'plan-bar' }, h('div', null, panel.short, toPlan), submit()),
  );
}

/**
 * What a list begins with when it is changed by hand. GANs that a profile trains are asked for by
 * name alone, so that the profile goes on filling in the rest; those that `best` has chosen one by
 * one are kept as they were chosen.
 */
function seeded(path, list, profile) {
  if (path.length !== 1 || path[0] !== 'gans' || profile === 'best') return list;
  return list.map(({ name }) => ({ name }));
}

/** What a pointer is called: the fields on the way, of a GAN its place. */
function labelOf(pointer, words) {
  const path = pathOf(pointer);
  return path
    .map((part, i) => {
      const here = path.slice(0, i + 1);
      if (typeof part !== 'number') return words.label(here, {});
      return here.length === 2 && here[0] === 'gans' ? words.item(here) : String(part + 1);
    })
    .join(', ');
}
