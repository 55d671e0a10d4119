/**
 * The caveats of verdicts in the reader's language. The service writes them in English
 * (`gan_core/benchmark/sentences.py`); those that are recognised are said by a message of ours with
 * the same numbers, others stand as they are. In English nothing is rewritten.
 */

import { h } from '../../core/dom.js';
import { language, t, tOr } from '../../core/i18n.js';
import { english } from '../../parts/bits.js';

const KINDS = [
  ['lost', /^(?<lost>\d+) of (?<all>\d+) trainings of this GAN failed/],
  ['few_runs', /^Based on (?<runs>\d+) runs?: so few cannot show that it helps \(that takes at least (?<least>\d+)/],
  ['one_choice', /^All runs share one choice of real images and one training/],
  ['one_choice_all', /^All runs share one choice of real images, all that there are/],
  ['few_real', /^With fewer than about (?<few>\d+) real images the literature/],
  ['unpaired', /^It could not be compared with (?<arms>.+), which were not run on the same real images/],
  ['unbalanced', /^It was compared with (?<arms>.+) alone: class weights and oversampling/],
  ['beside', /^With the (?<classifier>[\w -]+), (?<doing>.+) (?<found>helped|harmed|made no significant difference|was not tested)\.$/],
];

/**
 * Recognise a caveat.
 *
 * @param {string} text As the service wrote it.
 * @returns {{kind: string, values: object}|null}
 */
export function recognised(text) {
  for (const [kind, pattern] of KINDS) {
    const match = pattern.exec(text);
    if (match) return { kind, values: { ...match.groups } };
  }
  return null;
}

/** A caveat to show. */
export function caveat(text) {
  if (language.value === 'en') return english(text);
  const found = recognised(text);
  if (!found) return english(text);
  const { kind, values } = found;
  if (values.found) values.found = t(`results.found:${values.found.replaceAll(' ', '_')}`);
  if (values.classifier) values.classifier = tOr(`results.classifier_named:${values.classifier.replaceAll(' ', '_')}`, values.classifier);
  const said = t(`results.caveat:${kind}`, values);
  // What is named in it (arms, what was done) stays in the service's words.
  return values.arms || values.doing ? h('span', null, said, ' ', english(`(“${values.arms ?? values.doing}”)`, 'span')) : said;
}
