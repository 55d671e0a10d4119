/** All steps in a table: what the picture shows, for whoever reads rather than looks. */

import { h } from '../../core/dom.js';
import { duration, percent, t } from '../../core/i18n.js';
import { badge, section, when } from '../../parts/bits.js';
import { table } from '../../parts/table.js';
import { secondsOf, titleOf } from './naming.js';

/**
 * @param {object} state Of `follow`.
 * @param {{signal: AbortSignal, onOpen: function(string): void}} options
 * @returns {HTMLElement}
 */
export function steps(state, { signal, onOpen }) {
  const order = new Map(state.steps.value.map((step, i) => [step.name, i]));
  const shown = table({
    label: t('job.all_steps'),
    key: (step) => step.name,
    columns: [
      { id: 'step', label: t('job.step'), wide: true, cell: (step) => open(step, onOpen), sort: (step) => order.get(step.name) },
      { id: 'state', label: t('job.state'), cell: (step) => badge(step.status), sort: (step) => step.status },
      { id: 'progress', label: t('job.progress'), number: true, cell: (step) => (step.status === 'running' ? percent(step.fraction) : '–'), sort: (step) => step.fraction },
      { id: 'took', label: t('job.took'), number: true, cell: took, sort: (step) => secondsOf(step) ?? -1 },
      { id: 'attempt', label: t('job.attempt'), number: true, cell: (step) => step.attempt || '–', sort: (step) => step.attempt },
      { id: 'queue', label: t('job.waiting_since'), cell: (step) => (step.status === 'queued' && step.queued_at ? when(step.queued_at) : '–'), sort: (step) => (step.status === 'queued' ? (step.queued_at ?? '') : '') },
    ],
  });
  const set = (items) => {
    const focused = document.activeElement?.dataset?.step;
    shown.set(items);
    // The row of a step that has changed is a new one.
    if (focused && document.activeElement === document.body) shown.node.querySelector(`[data-step="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  };
  set(state.steps.value);
  state.steps.subscribe(set, signal);
  return section(t('job.steps'), h('p', { class: 'muted' }, t('job.steps_lead')), shown.node);
}

const open = (step, onOpen) =>
  h('button', { type: 'button', class: 'link-button', data: { step: step.name }, on: { click: () => onOpen(step.name) } }, titleOf(step));

function took(step) {
  if (step.is_reused) return t('job.reused');
  const seconds = secondsOf(step);
  return seconds === null ? '–' : duration(seconds);
}
