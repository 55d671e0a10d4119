/** The answer: at each number of real images, what was found, how sure that is, what speaks against it. */

import { h, uid } from '../../core/dom.js';
import { percent, t } from '../../core/i18n.js';
import { english } from '../../parts/bits.js';
import { domainAround, intervalPicture } from '../../parts/interval.js';
import { caveat } from './caveats.js';
import {
  between, classifierName, countPhrase, doingOf, explained, figureName, outcomeMark, outcomeName, outcomeTone, pValue, rivalName, signed,
} from './names.js';
import { strongestClassifier, verdictOf } from './shape.js';
import { warningsOf } from './sets.js';

/**
 * Show the conclusions.
 *
 * @param {object} results
 * @param {object|null} job
 * @param {function(string): void} toTab Shows a tab of the view.
 */
export function answer(results, job, toTab) {
  const id = uid('answer');
  const differences = results.conclusions.flatMap((c) => Object.values(verdictOf(results, c)?.differences ?? {}));
  const domain = domainAround(0, differences);
  return h(
    'section',
    { class: 'card answer', 'aria-labelledby': id },
    h('h2', { id }, t('results.answer')),
    results.conclusions.length > 0
      ? [
          h('p', { class: 'muted' }, t('results.answer_lead', { classifier: classifierName(strongestClassifier(results)) })),
          h('ul', { class: 'verdicts' }, results.conclusions.map((one) => h('li', null, conclusion(results, one, domain)))),
          explained(['outcomes', 'outcomes_helps', 'outcomes_harms', 'outcomes_none'].map((key) => h('p', null, t(`results.${key}`)))),
        ]
      : h('p', null, t(results.summaries.length ? 'results.no_gan' : 'results.no_benchmark')),
    warnings(results, job, toTab),
  );
}

function conclusion(results, one, domain) {
  const verdict = verdictOf(results, one);
  const id = uid('verdict');
  const count = countPhrase({ label: one.real_count_label, n: one.real_count });
  const tone = outcomeTone(one.outcome);
  return h(
    'article',
    { class: ['verdict', `verdict-${tone}`], 'aria-labelledby': id },
    h(
      'h3',
      { id },
      h('span', { class: 'verdict-count' }, t('results.with', { count })),
      h('span', { class: 'visually-hidden' }, ': '),
      h('span', { class: 'verdict-outcome' }, h('span', { 'aria-hidden': 'true', class: 'verdict-mark' }, outcomeMark(one.outcome)), outcomeName(one.outcome)),
    ),
    h('p', { class: 'verdict-told' }, toldOf(one, verdict)),
    verdict && one.outcome !== 'not-tested' && changes(verdict, domain),
    one.caveats.length > 0 && h('ul', { class: 'caveats', 'aria-label': t('results.caveats') }, one.caveats.map((text) => h('li', null, caveat(text)))),
    h('details', { class: 'explained' }, h('summary', null, t('results.in_full')), h('p', { class: 'explained-body' }, english(one.sentence))),
  );
}

/** What was found, as a sentence; as the service says it where its parts are not all known. */
export function toldOf(one, verdict) {
  if (one.outcome === 'not-tested') return t('results.told:not-tested');
  if (!verdict?.against || !one.classifier) return english(one.sentence);
  return t(`results.told:${one.outcome}`, {
    doing: doingOf(one.arm),
    classifier: classifierName(one.classifier, { short: true }),
    rival: rivalName(verdict.against),
  });
}

/** A bar has the colour of the outcome only where it lies clear of the line on that side. */
function toneOf({ low, high }, outcome) {
  const isClear = (outcome === 'helps' && low > 0) || (outcome === 'harms' && high !== null && high < 0);
  return isClear ? outcomeTone(outcome) : 'calm';
}

function changes(verdict, domain) {
  return h(
    'div',
    { class: 'changes' },
    h('p', { class: 'small muted' }, t('results.changes', { rival: rivalName(verdict.against) })),
    h(
      'dl',
      { class: 'changes-list' },
      Object.entries(verdict.differences).map(([figure, difference]) =>
        h(
          'div',
          null,
          h('dt', null, figureName(figure)),
          h('dd', null, h('strong', { class: 'change' }, signed(difference.mean)), intervalPicture(difference, { domain, line: 0, tone: toneOf(difference, verdict.outcome) }), h('span', { class: 'muted small' }, between(difference, signed))),
        ),
      ),
    ),
    h('p', { class: 'small muted' }, t('results.runs_and_p', { n: verdict.n_runs, p: pValue(verdict.p_holm) })),
  );
}

/** What has to be known before one relies on this; beside the verdict, never hidden. */
function warnings(results, job, toTab) {
  const found = warningsOf(results, job);
  if (!found.length) return null;
  return h(
    'div',
    { class: 'box box-warn before' },
    h('h3', { class: 'box-title' }, t('results.before')),
    h(
      'ul',
      null,
      found.map(({ code, values, tab }) =>
        h(
          'li',
          null,
          t(`results.warn:${code}`, { rare_class: results.rare_class, ...values, step: values.step ? percent(values.step, 1) : '' }),
          tab && [' ', h('button', { type: 'button', class: 'link-button', on: { click: () => toTab(tab) } }, t('results.more_of_it', { place: t(`results.tab:${tab}`) }))],
        ),
      ),
    ),
  );
}
