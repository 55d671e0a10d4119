/**
 * Lines over an axis, with intervals: SVG of our own. What a chart shows is also said in words to
 * those who do not see it (its `summary`), stands in a table beside it, and can be walked through
 * with the arrow keys.
 */

import { fill, h, s, uid } from '../core/dom.js';
import { fixed, number, t } from '../core/i18n.js';
import { ticksOf } from './scale.js';

const MARKS = ['circle', 'square', 'triangle', 'diamond', 'cross', 'ring'];
const PAD = { top: 14, right: 18, bottom: 40, left: 56 };

/**
 * Draw a chart.
 *
 * @param {{title: string, summary: string, x: {label: string, log?: boolean, format?: function,
 *   ticks?: number[], isWhole?: boolean}, y: {label: string, format?: function, domain?: [number, number],
 *   within?: [number, number]},
 *   series: Array<{id: string, label: string, colour?: number, dashed?: boolean, points:
 *   Array<{x: number, y: number, low?: number, high?: number, note?: string}>, mark?: number,
 *   group?: string, isHidden?: boolean, isFloor?: boolean}>, height?: number, marks?: boolean,
 *   rules?: Array<{x: number, label: string}>}} options `colour` is a number 1–8 of the palette, by
 *   default the place in the list, as is `mark` among the marks; `low` and `high` are an interval's
 *   ends; `marks`: whether points are marked (else lines); `rules`: places along x that are marked
 *   from top to bottom; the summary has to say them, too. Series of one `group`, which follow each
 *   other, stand together in the legend. `isHidden`: shown only once it is chosen there. `isFloor`:
 *   what the others have to rise above; the ground beneath it is shaded.
 *   `isWhole`: what is counted along x, so that nothing stands between two whole numbers.
 * @returns {{node: HTMLElement, update: function(object): void}} `update` draws it anew with
 *   changed options.
 */
export function chart(options) {
  let given = options;
  const hidden = new Set();
  const known = new Set();
  const legend = h('div', { class: 'legends' });
  const readout = h('p', { class: 'readout', 'aria-live': 'polite' });
  const canvas = h('div', { class: 'chart-canvas' });
  const title = h('figcaption', { class: 'chart-title' });
  const node = h('figure', { class: 'chart' }, title, legend, canvas, readout);
  let at = null; // what the keys have reached: {series, point}
  let width = 0;

  new ResizeObserver(([entry]) => {
    const next = Math.round(entry.contentRect.width);
    if (next && Math.abs(next - width) > 1) {
      width = next;
      draw();
    }
  }).observe(canvas);

  function draw() {
    for (const one of given.series) {
      if (one.isHidden && !known.has(one.id)) hidden.add(one.id);
      known.add(one.id);
    }
    const shown = given.series.filter((one) => !hidden.has(one.id));
    fill(title, given.title);
    drawLegend();
    if (width) fill(canvas, picture(given, shown, width, at, pointAt));
  }

  function drawLegend() {
    const groups = new Map();
    given.series.forEach((one, i) => groups.set(one.group, [...(groups.get(one.group) ?? []), entry(one, i)]));
    fill(
      legend,
      given.series.length > 1 &&
        [...groups].map(([name, entries]) =>
          h('div', { class: 'legend-group' }, name && h('span', { class: 'legend-name' }, name), h('ul', { class: 'legend', 'aria-label': name }, entries)),
        ),
    );
  }

  function entry(one, i) {
    const isShown = !hidden.has(one.id);
    const flip = () => {
      if (isShown && given.series.filter((other) => !hidden.has(other.id)).length > 1) hidden.add(one.id);
      else hidden.delete(one.id);
      at = null;
      draw();
      legend.querySelectorAll('button')[i]?.focus();
    };
    return h('li', null, h('button', { type: 'button', 'aria-pressed': String(isShown), on: { click: flip } }, swatch(one, i), one.label));
  }

  function pointAt(next) {
    at = next;
    const point = at && at.series.points[at.index];
    fill(readout, point ? told(given, at.series, point) : '');
    draw();
  }

  canvas.tabIndex = 0;
  canvas.setAttribute('role', 'application');
  canvas.setAttribute('aria-roledescription', t('app.chart'));
  canvas.addEventListener('keydown', (event) => {
    const shown = given.series.filter((one) => !hidden.has(one.id) && one.points.length);
    if (!shown.length) return;
    let row = at ? shown.indexOf(at.series) : -1;
    let index = at?.index ?? 0;
    if (event.key === 'ArrowRight') index = row === -1 ? 0 : index + 1;
    else if (event.key === 'ArrowLeft') index -= row === -1 ? 0 : 1;
    else if (event.key === 'ArrowDown') row += 1;
    else if (event.key === 'ArrowUp') row -= 1;
    else if (event.key === 'Home') index = 0;
    else if (event.key === 'End') index = Infinity;
    else if (event.key === 'Escape') return pointAt(null);
    else return;
    event.preventDefault();
    row = (Math.max(row, event.key === 'ArrowUp' && row < 0 ? shown.length - 1 : 0) + shown.length) % shown.length;
    const series = shown[row];
    pointAt({ series, index: Math.min(Math.max(index, 0), series.points.length - 1) });
  });

  draw();
  canvas.setAttribute('aria-label', `${given.title}. ${given.summary} ${t('app.chart_keys')}`);
  return {
    node,
    update(changes) {
      given = { ...given, ...changes };
      if (at) {
        const series = given.series.find((one) => one.id === at.series.id);
        at = series && series.points[at.index] ? { series, index: at.index } : null;
      }
      canvas.setAttribute('aria-label', `${given.title}. ${given.summary} ${t('app.chart_keys')}`);
      draw();
    },
  };
}

function told(given, series, point) {
  const x = (given.x.format ?? number)(point.x);
  const y = (given.y.format ?? fixed)(point.y);
  const interval =
    point.low === undefined || point.low === null
      ? ''
      : ` ${t('app.interval', { low: (given.y.format ?? fixed)(point.low), high: (given.y.format ?? fixed)(point.high) })}`;
  return `${series.label}, ${given.x.label} ${x}: ${y}${interval}${point.note ? `; ${point.note}` : ''}`;
}

function colourOf(series, i) {
  return `var(--series-${series.colour ?? (i % 8) + 1})`;
}

function markOf(series, i) {
  return MARKS[(series.mark ?? i) % MARKS.length];
}

function swatch(series, i) {
  return s(
    'svg',
    { class: 'swatch', viewBox: '0 0 26 12', width: 26, height: 12, 'aria-hidden': 'true' },
    s('line', { x1: 1, y1: 6, x2: 25, y2: 6, class: 'line', style: { stroke: colourOf(series, i) }, 'stroke-dasharray': series.dashed ? '4 3' : null }),
    mark(markOf(series, i), 13, 6, 3.5, colourOf(series, i)),
  );
}

function picture(given, shown, width, at, pointAt) {
  const height = given.height ?? 300;
  const inner = { width: width - PAD.left - PAD.right, height: height - PAD.top - PAD.bottom };
  const points = shown.flatMap((one) => one.points);
  const xs = scale(points.map((p) => p.x), [PAD.left, PAD.left + inner.width], given.x);
  const ys = scale(
    given.y.domain ?? points.flatMap((p) => [p.y, p.low ?? p.y, p.high ?? p.y]),
    [PAD.top + inner.height, PAD.top],
    { ...given.y, isPadded: !given.y.domain },
  );
  const clip = uid('clip');
  const root = s('svg', { viewBox: `0 0 ${width} ${height}`, width, height, 'aria-hidden': 'true' });
  root.append(
    s('defs', null, s('clipPath', { id: clip }, s('rect', { x: PAD.left - 6, y: PAD.top - 6, width: inner.width + 12, height: inner.height + 12 }))),
  );
  drawAxes(root, given, xs, ys, inner);
  for (const rule of given.rules ?? []) drawRule(root, rule, xs.of(rule.x), inner);
  const drawn = s('g', { 'clip-path': `url(#${clip})` });
  root.append(drawn);
  for (const series of shown) if (series.isFloor) drawFloor(drawn, series, xs, ys, inner);
  shown.forEach((series) => drawSeries(drawn, given, series, given.series.indexOf(series), xs, ys, shown.length, shown.indexOf(series)));
  if (at) {
    const point = at.series.points[at.index];
    if (point) drawn.append(s('circle', { cx: xs.of(point.x), cy: ys.of(point.y), r: 8, class: 'chosen' }));
  }
  root.addEventListener('pointermove', (event) => {
    const found = nearest(shown, xs, ys, event, root);
    if (found && (found.series !== at?.series || found.index !== at?.index)) pointAt(found);
  });
  return root;
}

function drawAxes(root, given, xs, ys, inner) {
  for (const value of ys.ticks) {
    const y = ys.of(value);
    root.append(
      s('line', { x1: PAD.left, x2: PAD.left + inner.width, y1: y, y2: y, class: 'grid' }),
      s('text', { x: PAD.left - 8, y: y + 4, class: 'tick-text', 'text-anchor': 'end' }, (given.y.tickFormat ?? number)(value)),
    );
  }
  let end = -Infinity;
  for (const value of xs.ticks) {
    const label = (given.x.format ?? number)(value);
    const x = xs.of(value);
    const half = 4 + String(label).length * 3.6;
    if (x - half < end) continue;
    end = x + half;
    root.append(
      s('line', { x1: x, x2: x, y1: PAD.top + inner.height, y2: PAD.top + inner.height + 5, class: 'axis' }),
      s('text', { x, y: PAD.top + inner.height + 18, class: 'tick-text', 'text-anchor': 'middle' }, label),
    );
  }
  const bottom = PAD.top + inner.height;
  root.append(
    s('line', { x1: PAD.left, x2: PAD.left + inner.width, y1: bottom, y2: bottom, class: 'axis' }),
    s('text', { x: PAD.left + inner.width / 2, y: bottom + 36, class: 'axis-text', 'text-anchor': 'middle' }, given.x.label),
    s('text', { x: 14, y: PAD.top + inner.height / 2, class: 'axis-text', 'text-anchor': 'middle', transform: `rotate(-90 14 ${PAD.top + inner.height / 2})` }, given.y.label),
  );
}

function drawFloor(root, series, xs, ys, inner) {
  if (!series.points.length) return;
  const bottom = PAD.top + inner.height;
  const ends = [PAD.left, PAD.left + inner.width];
  const heights = series.points.map((p) => `L${xs.of(p.x)} ${ys.of(p.y)}`).join('');
  // To the edges, so that a single point has a floor, too.
  const d = `M${ends[0]} ${bottom}V${ys.of(series.points[0].y)}${heights}L${ends[1]} ${ys.of(series.points.at(-1).y)}V${bottom}Z`;
  root.append(s('path', { d, class: 'floor' }));
}

function drawRule(root, rule, x, inner) {
  // The words stand on the side where there is room for them.
  const isLeft = x > PAD.left + inner.width / 2;
  root.append(
    s('line', { x1: x, x2: x, y1: PAD.top - 6, y2: PAD.top + inner.height, class: 'rule', 'stroke-dasharray': '3 3' }),
    s('text', { x: x + (isLeft ? -6 : 6), y: PAD.top + 4, class: 'rule-text', 'text-anchor': isLeft ? 'end' : 'start' }, rule.label),
  );
}

function drawSeries(root, given, series, i, xs, ys, count, place) {
  const colour = colourOf(series, i);
  // With marks, series that share an x stand beside each other, so that intervals can be told apart.
  const shift = given.marks ? (place - (count - 1) / 2) * Math.min(7, 40 / count) : 0;
  const at = (p) => [xs.of(p.x) + shift, ys.of(p.y)];
  const path = series.points.map((p, n) => `${n ? 'L' : 'M'}${at(p).map((v) => v.toFixed(1)).join(' ')}`).join('');
  root.append(s('path', { d: path, class: 'line', style: { stroke: colour }, 'stroke-dasharray': series.dashed ? '6 4' : null }));
  for (const p of series.points) {
    const [x] = at(p);
    if (p.low !== undefined && p.low !== null)
      root.append(
        s('path', { d: `M${x} ${ys.of(p.low)}V${ys.of(p.high)}M${x - 4} ${ys.of(p.low)}h8M${x - 4} ${ys.of(p.high)}h8`, class: 'whisker', style: { stroke: colour } }),
      );
    if (given.marks) root.append(mark(markOf(series, i), x, ys.of(p.y), 5, colour));
  }
}

function mark(kind, x, y, r, colour) {
  const style = { fill: colour, stroke: 'var(--surface)' };
  if (kind === 'circle') return s('circle', { cx: x, cy: y, r, class: 'mark', style });
  if (kind === 'ring') return s('circle', { cx: x, cy: y, r: r - 1, class: 'mark-open', style: { stroke: colour } });
  if (kind === 'square') return s('rect', { x: x - r + 0.5, y: y - r + 0.5, width: 2 * r - 1, height: 2 * r - 1, class: 'mark', style });
  const paths = {
    triangle: `M${x} ${y - r - 0.5}L${x + r} ${y + r - 1}H${x - r}Z`,
    diamond: `M${x} ${y - r - 1}L${x + r} ${y}L${x} ${y + r + 1}L${x - r} ${y}Z`,
    cross: `M${x - r + 1} ${y - r + 1}L${x + r - 1} ${y + r - 1}M${x - r + 1} ${y + r - 1}L${x + r - 1} ${y - r + 1}`,
  };
  if (kind === 'cross') return s('path', { d: paths.cross, class: 'mark-open', style: { stroke: colour } });
  return s('path', { d: paths[kind], class: 'mark', style });
}

function scale(values, [from, to], { log = false, ticks, isWhole = false, within, isPadded = false }) {
  const finite = values.filter((v) => Number.isFinite(v) && (!log || v > 0));
  let low = finite.length ? Math.min(...finite) : 0;
  let high = finite.length ? Math.max(...finite) : 1;
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  const f = log ? Math.log : (v) => v;
  if (isPadded) {
    const room = (high - low) * 0.06;
    [low, high] = [low - room, high + room];
  } else if (log || ticks) {
    const room = (f(high) - f(low)) * 0.05;
    [low, high] = log ? [Math.exp(f(low) - room), Math.exp(f(high) + room)] : [low - room, high + room];
  }
  // What cannot be is not drawn room for: nothing is above a ROC-AUC of 1.
  const room = within ? (within[1] - within[0]) * 0.012 : 0;
  if (within) [low, high] = [Math.max(low, within[0] - room), Math.min(high, within[1] + room)];
  return {
    of: (v) => from + ((f(v) - f(low)) / (f(high) - f(low))) * (to - from),
    ticks: ticks ?? ticksOf(low, high, 6).filter((value) => !isWhole || Number.isInteger(value)),
  };
}

function nearest(shown, xs, ys, event, root) {
  const frame = root.getBoundingClientRect();
  const [x, y] = [event.clientX - frame.left, event.clientY - frame.top];
  let best = null;
  for (const series of shown)
    series.points.forEach((p, index) => {
      const distance = Math.hypot(xs.of(p.x) - x, (ys.of(p.y) - y) * 0.6);
      if (distance < (best?.distance ?? 60)) best = { distance, series, index };
    });
  return best && { series: best.series, index: best.index };
}
