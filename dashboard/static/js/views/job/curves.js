/** What a training's figures are drawn as. Pure but for the words. */

import { fixed, number, t, tOr } from '../../core/i18n.js';

const MOST_POINTS = 600;
const NO_LOSS = new Set(['epoch', 'step']);
/** From 0 to about 1, so that they share an axis. */
const SHARES = ['density', 'coverage', 'authenticity', 'copy_rate'];

/**
 * Return the lines of a training's losses.
 *
 * @param {Array<object>} points Each with `epoch`, and a number or null under the name of each loss.
 */
export function lossSeries(points) {
  const names = [...new Set(points.flatMap((point) => Object.keys(point)))].filter((name) => !NO_LOSS.has(name));
  return names.map((name) => line(name, points, tOr(`job.loss_${name}`, name))).filter((one) => one.points.length > 0);
}

/** Return the lines of what was found of the snapshots' samples, as shares. */
export const shareSeries = (judgements, chosen) =>
  SHARES.map((name, i) => ({ ...line(name, judgements, t(`job.quality_${name}`), chosen), colour: i + 1 })).filter((one) => one.points.length > 0);

/** Return the line of the kernel distance, its standard deviation noted at each point. */
export function kidSeries(judgements, chosen) {
  const kid = line('kid', judgements, t('job.quality_kid'), chosen);
  const spread = new Map(judgements.map((one) => [one.epoch, one.kid_sd]));
  for (const point of kid.points) {
    const sd = spread.get(point.x);
    if (Number.isFinite(sd)) Object.assign(point, { note: [t('job.sd', { sd: fixed(sd, 4) }), point.note].filter(Boolean).join('; ') });
  }
  return kid.points.length ? [kid] : [];
}

/** Return the line of what a snapshot is chosen by. */
export function scoreSeries(judgements, chosen) {
  const score = line('score', judgements, t('job.quality_score'), chosen);
  return score.points.length ? [score] : [];
}

function line(name, rows, label, chosen = null) {
  const points = rows
    .filter((row) => Number.isFinite(row[name]))
    .map((row) => ({ x: row.epoch ?? row.step, y: row[name], note: chosen !== null && row.epoch === chosen ? t('job.chosen') : undefined }));
  return { id: name, label, points: thinned(points) };
}

/** Of many points the lowest and the highest of each stretch: no spike is lost. */
function thinned(points) {
  if (points.length <= MOST_POINTS) return points;
  const size = Math.ceil(points.length / (MOST_POINTS / 2));
  const kept = [];
  for (let i = 0; i < points.length; i += size) {
    const stretch = points.slice(i, i + size);
    const [low, high] = stretch.reduce(([a, b], p) => [p.y < a.y ? p : a, p.y > b.y ? p : b], [stretch[0], stretch[0]]);
    kept.push(...(low === high ? [low] : [low, high].sort((a, b) => a.x - b.x)));
  }
  if (kept.at(-1) !== points.at(-1)) kept.push(points.at(-1));
  return kept;
}

/** Say in words where some lines begin and where they are now. */
export const toldOf = (series) =>
  series
    .map(({ label, points }) =>
      t('job.line_told', { label, x: number(points.at(-1).x), from: fixed(points[0].y), to: fixed(points.at(-1).y) }),
    )
    .join(' ');
