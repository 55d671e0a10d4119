/**
 * What a study's results say, brought into the shape in which it is shown. Nothing here draws or
 * speaks: plain data in, plain data out. The choices (which arm is the bar, which lines are shown
 * first) are those of the report (`gan_core/report/bar.py`): by the verdicts, else by held-out real
 * training images, never by the test images.
 */

const BASE = ['real-only', 'class-weights', 'oversample', 'classic-augment', 'classic-augment+oversample', 'upscale-control'];
const OF_GAN = ['gan', 'gan+classic-augment', 'gan@ratio', 'gan-unscreened', 'synthetic-only'];
const STRONG_ARMS = ['classic-augment+oversample', 'class-weights', 'oversample', 'real-only'];
const STRONG_CLASSIFIERS = ['probe', 'finetune', 'seed-cnn'];
const CLASSIFIERS = ['seed-cnn', 'probe', 'finetune'];
const SHOWN_BASE = ['real-only', 'class-weights', 'classic-augment+oversample'];
const MOST_LINES = 8;

/** Figures of which a smaller one is better. */
export const LOWER_IS_BETTER = new Set(['brier', 'calibration_error']);
/** Figures in the order in which they can be chosen, in groups that fit a table. */
export const FIGURE_GROUPS = {
  main: ['roc_auc', 'pr_auc', 'moved_balanced_accuracy', 'moved_sensitivity', 'moved_specificity'],
  half: ['balanced_accuracy', 'accuracy', 'sensitivity', 'specificity'],
  more: ['sensitivity_at_90', 'sensitivity_at_95', 'moved_accuracy', 'brier', 'calibration_error'],
};

/**
 * Take an arm's full name apart.
 *
 * @param {string} arm `gan:infogan@ratio`.
 * @returns {{kind: string, gan: string|null, size: string|null}} `gan@ratio`, `infogan`.
 */
export function parsedArm(arm) {
  const colon = arm.indexOf(':');
  const [kind, rest] = colon === -1 ? [arm, ''] : [arm.slice(0, colon), arm.slice(colon + 1)];
  if (kind === 'synthetic-only' && rest) return { kind, gan: rest, size: null };
  if (kind === 'upscale-control') return { kind, gan: null, size: rest || null };
  if (kind !== 'gan' || !rest) return { kind: arm, gan: null, size: null };
  for (const [ending, name] of [['+classic-augment', 'gan+classic-augment'], ['@ratio', 'gan@ratio'], ['-unscreened', 'gan-unscreened']])
    if (rest.endsWith(ending)) return { kind: name, gan: rest.slice(0, -ending.length), size: null };
  return { kind: 'gan', gan: rest, size: null };
}

/** Whether an arm holds synthetic images. */
export const hasFakes = (arm) => parsedArm(arm).gan !== null;

/** Sort arms as the report's tables do: those without a GAN first, then GAN by GAN. */
export function inOrder(arms) {
  const place = (arm) => {
    const { kind, gan, size } = parsedArm(arm);
    const kinds = gan === null ? BASE : OF_GAN;
    const known = kinds.indexOf(kind);
    return [gan === null ? 0 : 1, gan ?? '', known === -1 ? kinds.length : known, Number(size) || 0, arm];
  };
  const placed = [...new Set(arms)].map((arm) => [place(arm), arm]);
  return placed.sort(([a], [b]) => compared(a, b)).map(([, arm]) => arm);
}

function compared(a, b) {
  for (let i = 0; i < a.length; i += 1) {
    if (a[i] < b[i]) return -1;
    if (a[i] > b[i]) return 1;
  }
  return 0;
}

/** The real counts that have results, rising, "all" after a number that is equal: [{label, n}]. */
export function countsOf(results) {
  const found = new Map();
  for (const { real_count_label: label, real_count: n } of [...results.summaries, ...results.conclusions]) found.set(label, n);
  return [...found].map(([label, n]) => ({ label, n })).sort((a, b) => a.n - b.n || (a.label === 'all') - (b.label === 'all'));
}

/** The classifiers that have results, the study's own first. */
export function classifiersOf(results) {
  const present = [...new Set(results.summaries.map((s) => s.classifier))];
  return [...CLASSIFIERS.filter((name) => present.includes(name)), ...present.filter((name) => !CLASSIFIERS.includes(name)).sort()];
}

/** The classifier by which is concluded; null where there is none. */
export function strongestClassifier(results) {
  const told = new Map();
  for (const { classifier } of results.conclusions) if (classifier) told.set(classifier, (told.get(classifier) ?? 0) + 1);
  if (told.size) return [...told].sort(([a, n], [b, m]) => m - n || a.localeCompare(b))[0][0];
  const present = classifiersOf(results);
  return STRONG_CLASSIFIERS.find((name) => present.includes(name)) ?? present[0] ?? null;
}

/** The arms of one classifier, or of all (null), in order. */
export const armsOf = (results, classifier = null) =>
  inOrder(results.summaries.filter((s) => classifier === null || s.classifier === classifier).map((s) => s.arm));

/** The summary of one arm at one real count; undefined where it was not run. */
export const summaryOf = (results, classifier, arm, label) =>
  results.summaries.find((s) => s.classifier === classifier && s.arm === arm && s.real_count_label === label);

/** The strongest arm without a GAN at a real count; null where there is none. */
export function barArm(results, classifier, label) {
  const judged = results.verdicts.find((v) => v.classifier === classifier && v.real_count_label === label && v.against);
  if (judged) return judged.against;
  const present = armsAt(results, classifier, label).filter((arm) => !hasFakes(arm));
  // The control shows what the upscaler does; nobody would train so.
  const usable = present.filter((arm) => parsedArm(arm).kind !== 'upscale-control');
  const candidates = usable.length ? usable : present;
  return bestHeldOut(results, classifier, label, candidates) ?? STRONG_ARMS.find((arm) => candidates.includes(arm)) ?? candidates[0] ?? null;
}

/** The arm with synthetic images that stands for the GANs at a real count; null: there is none. */
export function ganArm(results, classifier, label) {
  const told = results.conclusions.find((c) => c.real_count_label === label && c.arm && (c.classifier === null || c.classifier === classifier));
  if (told) return told.arm;
  const present = armsAt(results, classifier, label).filter((arm) => hasFakes(arm) && parsedArm(arm).kind !== 'synthetic-only');
  return bestHeldOut(results, classifier, label, present) ?? present[0] ?? null;
}

const armsAt = (results, classifier, label) =>
  inOrder(results.summaries.filter((s) => s.classifier === classifier && s.real_count_label === label).map((s) => s.arm));

function bestHeldOut(results, classifier, label, arms) {
  let best = null;
  for (const arm of arms) {
    const values = results.rows
      .filter((r) => r.classifier === classifier && r.real_count_label === label && r.arm === arm && r.heldout_roc_auc !== null)
      .map((r) => r.heldout_roc_auc);
    const reached = values.length ? mean(values) : null;
    if (reached !== null && (best === null || reached > best.reached)) best = { arm, reached };
  }
  return best?.arm ?? null;
}

/** The arms that a picture of few lines shows. */
export function headlineArms(results, classifier) {
  const present = armsOf(results, classifier);
  const bars = new Set(countsOf(results).map(({ label }) => barArm(results, classifier, label)));
  const base = present.filter((arm) => !hasFakes(arm) && (SHOWN_BASE.includes(arm) || bars.has(arm)));
  const gans = new Set(present.map((arm) => parsedArm(arm).gan).filter(Boolean));
  const shown = gans.size > 1 ? ['gan'] : ['gan', 'gan+classic-augment', 'gan@ratio'];
  const told = new Set(results.conclusions.map((c) => c.arm));
  const ofGans = present.filter((arm) => hasFakes(arm) && (shown.includes(parsedArm(arm).kind) || told.has(arm)));
  return new Set([...(base.length ? base : present.filter((arm) => !hasFakes(arm))), ...ofGans.slice(0, MOST_LINES)]);
}

/** The figures that a study has, in the order of `FIGURE_GROUPS`. */
export function figuresOf(results) {
  const present = new Set(results.summaries.flatMap((s) => Object.keys(s.figures)));
  return Object.values(FIGURE_GROUPS).flat().filter((figure) => present.has(figure));
}

/** Where the points of one figure stand: [{x, label, y, low, high, n}], the fewest images first. */
export function pointsOf(results, classifier, arm, figure) {
  return countsOf(results).flatMap(({ label, n }) => {
    const summary = summaryOf(results, classifier, arm, label);
    const interval = summary?.figures[figure];
    return interval ? [{ x: n, label, y: interval.mean, low: interval.low, high: interval.high, n: summary.n_runs }] : [];
  });
}

/** The bar at every real count, of one figure: as `pointsOf`, with the arm that it is. */
export const barPoints = (results, classifier, figure) =>
  countsOf(results).flatMap(({ label }) => {
    const arm = barArm(results, classifier, label);
    return arm === null ? [] : pointsOf(results, classifier, arm, figure).filter((p) => p.label === label).map((p) => ({ ...p, arm }));
  });

/** The verdict of which a conclusion speaks. */
export const verdictOf = (results, conclusion) =>
  results.verdicts.find(
    (v) => v.arm === conclusion.arm && v.classifier === conclusion.classifier && v.real_count_label === conclusion.real_count_label,
  );

/**
 * What 100 people with the finding and 100 without would meet, with the bar and with the GAN.
 *
 * @returns {{classifier: string, isMoved: boolean, groups: Array<{label, n, rows: Array<{arm: string,
 *   isGan: boolean, found: number, missed: number, alarms: number}>}>} | null}
 */
export function patientsOf(results) {
  const classifier = strongestClassifier(results);
  if (classifier === null) return null;
  const isMoved = results.summaries.some((s) => s.classifier === classifier && 'moved_sensitivity' in s.figures);
  const prefix = isMoved ? 'moved_' : '';
  const groups = countsOf(results).map(({ label, n }) => ({
    label,
    n,
    rows: [barArm(results, classifier, label), ganArm(results, classifier, label)].flatMap((arm) => {
      const figures = arm && summaryOf(results, classifier, arm, label)?.figures;
      const [hit, right] = [figures?.[`${prefix}sensitivity`], figures?.[`${prefix}specificity`]];
      if (!hit || !right) return [];
      const found = Math.round(100 * hit.mean);
      return [{ arm, isGan: hasFakes(arm), found, missed: 100 - found, alarms: Math.round(100 * (1 - right.mean)) }];
    }),
  }));
  const told = groups.filter((group) => group.rows.length);
  return told.length ? { classifier, isMoved, groups: told } : null;
}

/** The mean of numbers; null of none. */
export const mean = (values) => (values.length ? values.reduce((sum, v) => sum + v, 0) / values.length : null);
