/** Which jobs are shown: choices that stand in the address, so that they can be kept and sent. */

import { h } from '../../core/dom.js';
import { t } from '../../core/i18n.js';
import { here, setQuery } from '../../core/router.js';

const KINDS = ['study', 'images', 'ingest', 'all'];
const STATES = ['queued', 'running', 'cancelling', 'succeeded', 'failed', 'cancelled'];
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** What the address asks for; what it holds that we do not know counts as not said. */
export function asked() {
  const { query } = here();
  const one = (name, known) => (known.includes(query.get(name)) ? query.get(name) : null);
  const day = (name) => (DATE.test(query.get(name) ?? '') ? query.get(name) : null);
  return {
    kind: one('kind', KINDS) ?? 'study',
    status: one('status', STATES),
    dataset: query.get('dataset'),
    after: day('after'),
    before: day('before'),
    text: query.get('q') ?? '',
  };
}

/** The part of it that the service filters by, as a query; days are the reader's own. */
export function queryOf({ kind, status, dataset, after, before }) {
  const query = new URLSearchParams();
  if (kind !== 'all') query.set('kind', kind);
  if (status) query.set('status', status);
  if (dataset) query.set('dataset_id', dataset);
  if (after) query.set('created_after', new Date(`${after}T00:00`).toISOString());
  if (before) {
    const end = new Date(`${before}T00:00`);
    end.setDate(end.getDate() + 1);
    query.set('created_before', end.toISOString());
  }
  return query;
}

/** Whether a job's name or id has the words that are looked for. */
export function hasText(job, text) {
  const said = `${job.name} ${job.id}`.toLowerCase();
  return text.toLowerCase().split(/\s+/).every((word) => said.includes(word));
}

/**
 * Make the row of filters.
 *
 * @param {{datasets: Array<object>, onChange: function(boolean): void}} options `onChange` is told
 *   whether the service has to be asked anew.
 */
export function filters({ datasets, onChange }) {
  const now = asked();
  const field = (label, input, isWide) => h('label', { class: ['filter', isWide && 'filter-wide'] }, h('span', null, label), input);
  const choice = (name, first, entries, value) => {
    const select = h('select', null, first !== null && h('option', { value: '' }, first), entries.map(([key, text]) => h('option', { value: key, selected: key === value }, text)));
    select.addEventListener('change', () => {
      setQuery({ [name]: name === 'kind' && select.value === 'study' ? null : select.value });
      onChange(true);
    });
    return select;
  };
  const day = (name, value) => {
    const input = h('input', { type: 'date', value });
    input.addEventListener('change', () => {
      setQuery({ [name]: input.value });
      onChange(true);
    });
    return input;
  };
  const text = h('input', { type: 'search', value: now.text, autocomplete: 'off', spellcheck: 'false', placeholder: t('jobs.search_hint') });
  text.addEventListener('input', () => {
    setQuery({ q: text.value.trim() });
    onChange(false);
  });
  const named = datasets.map((one) => [one.id, one.name || one.id]);
  // One that is gone still filters the jobs that were made of it.
  if (now.dataset && !named.some(([id]) => id === now.dataset)) named.push([now.dataset, now.dataset]);
  return h(
    'form',
    { class: 'filters', role: 'search', 'aria-label': t('jobs.filters'), on: { submit: (event) => event.preventDefault() } },
    field(t('jobs.search'), text, true),
    field(t('jobs.kind'), choice('kind', null, KINDS.map((one) => [one, t(`jobs.kinds_${one}`)]), now.kind)),
    field(t('jobs.status'), choice('status', t('jobs.any'), STATES.map((one) => [one, t(`app.status_${one}`)]), now.status)),
    field(t('jobs.dataset'), choice('dataset', t('jobs.any'), named, now.dataset)),
    field(t('jobs.after'), day('after', now.after)),
    field(t('jobs.before'), day('before', now.before)),
  );
}
