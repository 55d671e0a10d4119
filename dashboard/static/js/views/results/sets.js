/** What was found of sets of synthetic images, averaged over the subsets of the real ones. Pure. */

import { mean, parsedArm } from './shape.js';

// As the report judges: a tenth nearer than chance, five times as many under the first percentile,
// and an interval so wide that it says nothing.
const CLOSE_RATIO = 0.9;
const CLOSE_SHARE = 0.05;
const WIDE = 0.3;
const ENOUGH_RUNS = 5;
const FEW_TEST_IMAGES = 100;

/** Group findings by GAN and real count: [{gan, n, label, of: [...]}]. */
export function bySet(found) {
  const groups = new Map();
  for (const one of found) {
    const id = `${one.gan} ${one.real_count_label}`;
    if (!groups.has(id)) groups.set(id, { id, gan: one.gan, n: one.real_count, label: one.real_count_label, of: [] });
    groups.get(id).of.push(one);
  }
  return [...groups.values()].sort((a, b) => a.gan.localeCompare(b.gan) || a.n - b.n);
}

/** The mean of a figure over subsets; null where none has it. */
export const meanOf = (group, name) => mean(group.of.map((one) => one[name]).filter((v) => v !== null && v !== undefined));

/** The sum of a count over subsets. */
export const sumOf = (group, name) => group.of.reduce((sum, one) => sum + (one[name] ?? 0), 0);

/** Average intervals over subsets, and widen to the lowest and the highest bound; null of none. */
export function overSubsets(intervals) {
  const known = intervals.filter(Boolean);
  if (!known.length) return null;
  const ends = (name) => known.map((i) => i[name]).filter((v) => v !== null);
  const [lows, highs] = [ends('low'), ends('high')];
  return {
    mean: mean(known.map((i) => i.mean)),
    low: lows.length ? Math.min(...lows) : null,
    high: highs.length ? Math.max(...highs) : null,
  };
}

/** What an attack's ROC-AUC says: `found`, `chance`, or `open` (too few images to tell). */
export function attackOutcome(interval) {
  if (interval.low === null || interval.high === null) return 'open';
  if (interval.low > 0.5) return 'found';
  return interval.high - interval.low > WIDE ? 'open' : 'chance';
}

/** What is known of the privacy of each set. */
export function privacyOf(results) {
  return bySet(results.privacy).map((group) => {
    const ratio = meanOf(group, 'nearest_ratio');
    const below = meanOf(group, 'share_below_first_percentile');
    const attacks = ['distance', 'discriminator'].flatMap((by) => {
      const interval = overSubsets(group.of.map((one) => one[`attack_by_${by}`]));
      return interval ? [{ by, interval, outcome: attackOutcome(interval) }] : [];
    });
    const bounds = new Map(group.of.filter((one) => one.epsilon !== null).map((one) => [`${one.epsilon} ${one.delta}`, one]));
    return {
      ...group,
      copies: sumOf(group, 'near_copies'),
      ratio,
      below,
      isClose: ratio < CLOSE_RATIO || below > CLOSE_SHARE,
      attacks,
      bounds: [...bounds.values()].map(({ epsilon, delta }) => ({ epsilon, delta })),
      members: Math.round(meanOf(group, 'n_members')),
      unseen: Math.round(meanOf(group, 'n_others')),
      others: [...new Set(group.of.map((one) => one.others))],
    };
  });
}

/** Each ratio that was tried, over subsets and seeds: a line for each GAN, classifier, real count. */
export function ratiosOf(results) {
  const groups = new Map();
  for (const point of results.ratios) {
    const id = `${point.gan} ${point.classifier} ${point.real_count_label}`;
    if (!groups.has(id))
      groups.set(id, { id, gan: point.gan, classifier: point.classifier, label: point.real_count_label, n: point.real_count, tried: new Map() });
    const { tried } = groups.get(id);
    if (!tried.has(point.ratio)) tried.set(point.ratio, []);
    tried.get(point.ratio).push(point);
  }
  return [...groups.values()]
    .sort((a, b) => a.gan.localeCompare(b.gan) || a.n - b.n)
    .map(({ tried, ...group }) => ({
      ...group,
      points: [...tried]
        .sort(([a], [b]) => a - b)
        .map(([ratio, of]) => ({
          ratio,
          heldOut: mean(of.map((p) => p.heldout_roc_auc)),
          test: mean(of.map((p) => p.roc_auc).filter((v) => v !== null)),
          chosen: of.filter((p) => p.is_chosen).length,
          runs: of.length,
        })),
    }));
}

/**
 * What has to be known before one relies on a study, the weightiest first.
 *
 * @param {object} results
 * @param {object|null} job Its job, for the profile and the steps that failed.
 * @returns {Array<{code: string, values: object, tab: string|null}>} `tab`: where more is said.
 */
export function warningsOf(results, job) {
  const found = [];
  const say = (code, tab, values = {}) => found.push({ code, tab, values });
  const lost = results.failed.length;
  if (lost) say('failed', 'findings', { n: lost });
  const { leaks } = results;
  if (leaks?.training_images_of_test && !leaks.left_out) say('leaks', 'findings', { n: leaks.training_images_of_test });
  const shortcuts = bySet(results.shortcuts.filter((one) => one.is_warning));
  if (shortcuts.length) say('shortcut', 'findings', { n: shortcuts.length });
  const privacy = privacyOf(results);
  const copies = privacy.reduce((sum, one) => sum + one.copies, 0);
  if (copies) say('copies', 'privacy', { n: copies });
  if (privacy.some((one) => one.isClose)) say('close', 'privacy');
  if (privacy.some((one) => one.attacks.some((attack) => attack.outcome === 'found'))) say('attack', 'privacy');
  const hasSynthetic = results.rows.some((row) => row.n_fake) || results.privacy.length > 0 || results.quality.length > 0;
  if (hasSynthetic && !privacy.length) say('no_privacy', 'privacy');
  if (results.summaries.length) {
    const fewest = Math.min(...results.summaries.filter((s) => parsedArm(s.arm).gan !== null || !hasSynthetic).map((s) => s.n_runs));
    if (fewest < ENOUGH_RUNS) say('runs', null, { n: fewest, least: ENOUGH_RUNS });
    const n = results.classes[results.rare_class]?.test ?? 0;
    if (n > 0 && n < FEW_TEST_IMAGES) say('few_test', null, { n, step: 1 / n });
  }
  if (job?.spec.profile === 'quick' && hasSynthetic) say('quick', null);
  return found;
}
