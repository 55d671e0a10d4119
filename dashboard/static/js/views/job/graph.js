/** The picture of a job's steps: what needs what, and how far each is. */

import { append, fill, h, s } from '../../core/dom.js';
import { t } from '../../core/i18n.js';
import { toneOf } from '../../parts/bits.js';
import { graphOf, place } from './layout.js';
import { stateOf, subjectOf, titleOf, workLabel } from './naming.js';

const STEP_HEIGHT = 84;
const LANE_HEIGHT = 106;
const ROW_HEIGHT = 34;
const SHOWN_ROWS = 8;
const SIZES = { columnGap: 22, rowGap: 12 };
const [NARROWEST, WIDEST] = [128, 190];
// In the order in which a lane tells of them: what needs an eye first.
const STATES = ['failed', 'running', 'cancelling', 'queued', 'pending', 'skipped', 'cancelled', 'succeeded'];

/**
 * Draw the steps, and draw on as they change.
 *
 * @param {object} state Of `follow`.
 * @param {{signal: AbortSignal, onOpen: function(string): void}} options `onOpen` is told the name
 *   of a step that somebody wants to know more of.
 * @returns {HTMLElement}
 */
export function graph(state, { signal, onOpen }) {
  const stage = h('div', { class: 'graph-stage' });
  const box = h('div', { class: 'graph-box', role: 'group', 'aria-label': t('job.graph'), tabindex: 0 }, stage);
  const opened = new Set();
  let drawn = '';
  let width = 0;
  let parts = [];
  let hasScrolled = false;
  let hasSubsets = false;

  function draw() {
    const steps = state.steps.value;
    const shape = JSON.stringify([steps.map((step) => [step.name, step.needs]), [...opened], width]);
    if (shape !== drawn && width) {
      drawn = shape;
      build(steps);
    }
    const byName = new Map(steps.map((step) => [step.name, step]));
    for (const part of parts) part(byName);
    if (!hasScrolled && parts.length) {
      hasScrolled = true;
      const busy = stage.querySelector('[data-busy]');
      if (busy) box.scrollLeft = busy.offsetLeft - box.clientWidth / 2 + busy.offsetWidth / 2;
    }
  }

  function build(steps) {
    const found = graphOf(steps);
    const room = (width - (found.depth - 1) * SIZES.columnGap) / found.depth;
    const sizes = { ...SIZES, width: Math.floor(Math.min(WIDEST, Math.max(NARROWEST, room))), heightOf };
    const { places, paths, width: wide, height } = place(found, sizes);
    const focused = document.activeElement?.closest?.('[data-node]')?.dataset.node;
    parts = [];
    hasSubsets = steps.some((step) => /:s[1-9]/.test(step.name));
    const canvas = s('svg', { class: 'graph-lines', viewBox: `0 0 ${wide} ${height}`, width: wide, height, 'aria-hidden': 'true' });
    const owner = new Map(found.nodes.map((node) => [node.id, node]));
    for (const { from, to, d } of paths) {
      const line = s('path', { d });
      canvas.append(line);
      parts.push((byName) => line.setAttribute('class', lineClass(owner.get(from), owner.get(to), byName)));
    }
    fill(stage, canvas);
    stage.style.setProperty('inline-size', `${wide}px`);
    stage.style.setProperty('block-size', `${height}px`);
    // In the plan's order, whatever place they have: that is how the tabulator goes through them.
    for (const node of found.nodes) {
      const { x, y, height: tall } = places.get(node.id);
      const element = node.names.length > 1 ? lane(node) : single(node.names[0]);
      for (const [name, value] of [['inset-inline-start', x], ['inset-block-start', y], ['inline-size', sizes.width], ['block-size', tall]])
        element.style.setProperty(name, `${value}px`);
      element.dataset.node = node.id;
      stage.append(element);
    }
    if (focused) [...stage.children].find((one) => one.dataset.node === focused)?.closest('button, div')?.focus?.();
  }

  const heightOf = (node) => {
    if (node.names.length === 1) return STEP_HEIGHT;
    return LANE_HEIGHT + (opened.has(node.id) ? ROW_HEIGHT * Math.min(SHOWN_ROWS, node.names.length) + 8 : 0);
  };

  function single(name) {
    const bar = h('span', { class: 'graph-bar' });
    const word = h('span', { class: 'graph-state' });
    const kind = h('span', { class: 'graph-kind' });
    const what = h('span', { class: 'graph-what' });
    const node = h('button', { type: 'button', class: 'graph-node', on: { click: () => onOpen(name) } }, kind, what, word, bar);
    parts.push((byName) => {
      const step = byName.get(name);
      if (!step || node.step === step) return;
      node.step = step;
      const { tone, mark } = toneOf(step.status);
      node.setAttribute('class', `graph-node tone-${tone}`);
      node.setAttribute('title', [titleOf(step), stateOf(step), step.detail].filter(Boolean).join('\n'));
      node.toggleAttribute('data-busy', step.status === 'running');
      fill(kind, workLabel(step.name.split(':')[0]));
      fill(what, subjectOf(step, { hasSubsets }));
      fill(word, h('span', { 'aria-hidden': 'true', class: 'graph-mark' }, mark), ' ', stateOf(step, { isRough: true }));
      bar.style.setProperty('inline-size', `${step.status === 'running' ? step.fraction * 100 : 0}%`);
    });
    return node;
  }

  function lane(node) {
    const isOpen = opened.has(node.id);
    const flip = () => {
      if (isOpen) opened.delete(node.id);
      else opened.add(node.id);
      draw();
      stage.querySelector(`[data-node="${CSS.escape(node.id)}"] button`)?.focus();
    };
    const split = h('span', { class: 'graph-split', 'aria-hidden': 'true' });
    const counts = h('span', { class: 'graph-state' });
    const rows = h('ul', { class: 'graph-rows' });
    const frame = h(
      'div',
      { class: 'graph-node graph-lane' },
      h(
        'button',
        { type: 'button', class: 'graph-lane-head', 'aria-expanded': String(isOpen), on: { click: flip } },
        h('span', { class: 'graph-kind' }, workLabel(node.work), ' ', h('span', { class: 'graph-count' }, t('job.times', { n: node.names.length }))),
        split,
        counts,
      ),
      isOpen && rows,
    );
    const shown = new Map();
    if (isOpen)
      for (const name of node.names) {
        const row = h('button', { type: 'button', on: { click: () => onOpen(name) } });
        shown.set(name, row);
        rows.append(h('li', null, row));
      }
    parts.push((byName) => {
      const steps = node.names.map((name) => byName.get(name)).filter(Boolean);
      const states = STATES.map((status) => [status, steps.filter((step) => step.status === status).length]).filter(([, n]) => n > 0);
      const worst = states[0]?.[0] ?? 'pending';
      frame.setAttribute('class', `graph-node graph-lane tone-${toneOf(worst).tone}`);
      frame.toggleAttribute('data-busy', states.some(([status]) => status === 'running'));
      fill(split, states.map(([status, n]) => h('span', { class: `tone-${toneOf(status).tone}`, style: { 'flex-grow': n } })));
      fill(counts, states.map(([status, n], i) => [i > 0 && ' · ', `${n} ${t(`app.status_${status}`)}`]));
      for (const [name, row] of shown) {
        const step = byName.get(name);
        if (!step || row.step === step) continue;
        row.step = step;
        const { tone, mark } = toneOf(step.status);
        row.setAttribute('class', `tone-${tone}`);
        fill(row, h('span', { 'aria-hidden': 'true', class: 'graph-mark' }, mark), ' ', subjectOf(step, { hasSubsets }), h('span', { class: 'visually-hidden' }, `, ${stateOf(step)}`));
        row.setAttribute('title', stateOf(step));
      }
    });
    return frame;
  }

  new ResizeObserver(([entry]) => {
    const next = Math.round(entry.contentRect.width);
    if (next && Math.abs(next - width) > 2) {
      width = next;
      draw();
    }
  }).observe(box);
  state.steps.subscribe(draw, signal);
  return append(h('div', { class: 'graph' }), box);
}

function lineClass(from, to, byName) {
  const states = (node) => node.names.map((name) => byName.get(name)?.status);
  if (states(to).some((status) => status === 'running')) return 'line-busy';
  return states(from).every((status) => status === 'succeeded') ? 'line-done' : 'line-wait';
}
