/** An interval as a small picture: where it lies, and whether it crosses a line. Always beside words. */

import { s } from '../core/dom.js';

const WIDTH = 140;
const HEIGHT = 22;

/**
 * Draw an interval.
 *
 * @param {{mean: number, low: number|null, high: number|null}} interval
 * @param {{domain: [number, number], line: number, tone?: string}} options `line`: what it is held
 *   against (no difference; chance). `tone`: `ok`, `danger`, `warn`; else it is grey.
 */
export function intervalPicture(interval, { domain: [from, to], line, tone = 'calm' }) {
  const at = (value) => 4 + ((Math.min(to, Math.max(from, value)) - from) / (to - from)) * (WIDTH - 8);
  const middle = HEIGHT / 2;
  const hasEnds = interval.low !== null && interval.low !== undefined && interval.high !== null;
  return s(
    'svg',
    { class: ['interval', `interval-${tone}`], viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, 'aria-hidden': 'true' },
    s('line', { class: 'interval-base', x1: 4, x2: WIDTH - 4, y1: middle, y2: middle }),
    s('line', { class: 'interval-line', x1: at(line), x2: at(line), y1: 2, y2: HEIGHT - 2 }),
    hasEnds && s('line', { class: 'interval-bar', x1: at(interval.low), x2: at(interval.high), y1: middle, y2: middle }),
    s('circle', { class: 'interval-mean', cx: at(interval.mean), cy: middle, r: 4.5 }),
  );
}

/** A domain around a line that holds all of some intervals, and is as long on either side. */
export function domainAround(line, intervals, least = 0.05) {
  const ends = intervals.flatMap((i) => [i.mean, i.low ?? i.mean, i.high ?? i.mean]);
  const reach = Math.max(least, ...ends.map((end) => Math.abs(end - line))) * 1.05;
  return [line - reach, line + reach];
}
