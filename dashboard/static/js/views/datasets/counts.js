/** Images by class and split: totals, and which class is rare. */

/** Return the images of a class in all splits. */
export const ofClass = (splits) => Object.values(splits).reduce((sum, n) => sum + n, 0);

/** Return all images of a data set; null until it has been read. */
export const ofAll = (dataset) =>
  dataset.classes === null ? null : Object.values(dataset.classes).reduce((sum, splits) => sum + ofClass(splits), 0);

/**
 * Say how uneven the classes are, by their training images.
 *
 * @param {Object<string, Object<string, number>>} classes Images by class and split.
 * @returns {{rare: string|null, common: string, ratio: number}} `rare` is the smallest class, as a
 *   job takes it by default; null where all are alike. `ratio`: so many times as large is the
 *   largest.
 */
export function balance(classes) {
  const byTrain = Object.keys(classes).sort((a, b) => trainOf(classes[a]) - trainOf(classes[b]) || a.localeCompare(b));
  const [rare, common] = [byTrain[0], byTrain.at(-1)];
  const ratio = trainOf(classes[common]) / Math.max(1, trainOf(classes[rare]));
  return { rare: ratio > 1 ? rare : null, common, ratio };
}

const trainOf = (splits) => splits.train ?? ofClass(splits);
