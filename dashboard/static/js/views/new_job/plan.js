/** The plan beside the form: how long, how many steps, what is to be thought of. */

import { fill, h } from '../../core/dom.js';
import { duration, percent, t, tOr } from '../../core/i18n.js';
import { english, facts } from '../../parts/bits.js';
import { problemBox, say } from '../../parts/notices.js';

const TYPICAL = 'typical of two CPU cores';

/**
 * Make the panel.
 *
 * @param {{onGo: function(string): void, labelOf: function(string): string, again: function(): void,
 *   actions: Array<Node>}} options `onGo` goes to the field of a pointer, which `labelOf` names.
 * @returns {{node: HTMLElement, short: HTMLElement, asking: function(): void, show: function(object):
 *   void, refuse: function(object): void, wait: function(Array): void}} `short` is the plan in a line.
 */
export function planPanel({ onGo, labelOf, again, actions }) {
  const busy = h('span', { class: 'plan-busy muted small', hidden: true }, t('new_job.reckoning'));
  const troubles = h('div', { class: 'plan-troubles' });
  // Apart from the plan's own: a plan that arrives later says nothing of a job that was not taken.
  const unsent = h('div', { class: 'plan-troubles' });
  const body = h('div', { class: 'plan-body' }, h('p', { class: 'muted' }, t('new_job.no_plan_yet')));
  const short = h('p', { class: 'plan-short' }, t('new_job.no_plan_short'));
  const node = h(
    'section',
    { class: 'card plan', 'aria-labelledby': 'plan-title', id: 'plan' },
    h('div', { class: 'plan-head' }, h('h2', { id: 'plan-title', tabindex: -1 }, t('new_job.plan')), busy),
    troubles,
    body,
    unsent,
    h('div', { class: 'actions plan-actions' }, actions),
  );

  let hasPlan = false;

  /** A plan that is not of what the form says now is said to be of before. */
  function settle(isOld) {
    busy.hidden = !(isOld && hasPlan);
    fill(busy, t('new_job.plan_old'));
  }

  const list = (errors) =>
    h(
      'div',
      { class: 'box box-danger' },
      h('p', { class: 'box-title' }, t('new_job.to_mend')),
      h(
        'ul',
        { class: 'plan-errors' },
        errors.map(({ pointer, detail, isOurs }) =>
          h(
            'li',
            null,
            pointer ? h('button', { type: 'button', class: 'as-link', on: { click: () => onGo(pointer) } }, labelOf(pointer)) : null,
            pointer ? ': ' : null,
            isOurs ? detail : english(detail),
          ),
        ),
      ),
    );

  const why = (error, isAnswer, retry) => {
    const errors = error.problem?.errors;
    return isAnswer && errors?.length ? list(errors) : problemBox(error, isAnswer ? null : retry);
  };

  return {
    node,
    short,
    asking() {
      fill(busy, t('new_job.reckoning'));
      busy.hidden = false;
    },
    show(plan) {
      hasPlan = true;
      settle(false);
      fill(troubles);
      fill(body, figures(plan), advice(plan));
      const time = duration(plan.estimate.seconds);
      const text = t('new_job.plan_short', { time, n: plan.steps.length });
      if (short.textContent !== text) {
        fill(short, text);
        say(text);
      }
    },
    /** What the form itself sees is wrong: the service is not asked. */
    wait(wrongs) {
      settle(true);
      fill(troubles, list(wrongs.map((one) => ({ ...one, isOurs: true }))));
      fill(short, t('new_job.to_mend'));
    },
    refuse(error, isAnswer) {
      settle(true);
      fill(troubles, why(error, isAnswer, again));
      fill(short, t(isAnswer ? 'new_job.to_mend' : 'new_job.no_plan_short'));
    },
    /** Why the job was not taken; null: it is not known yet, or the form has changed since. */
    notSent(error, isAnswer) {
      fill(unsent, error && why(error, isAnswer));
      // On a narrow screen the button stands below everything, and this may be out of sight.
      if (error) unsent.scrollIntoView({ block: 'nearest' });
    },
  };
}

function figures({ steps, estimate }) {
  const reused = steps.filter((one) => one.is_reused).length;
  const kinds = new Map();
  for (const one of steps) {
    const found = kinds.get(one.kind) ?? { count: 0, reused: 0, seconds: 0 };
    found.count += 1;
    if (one.is_reused) found.reused += 1;
    else found.seconds += one.estimate_seconds;
    kinds.set(one.kind, found);
  }
  const onGpu = steps.filter((one) => one.queue === 'gpu' && !one.is_reused);
  const isAllReused = reused === steps.length;
  return [
    h('p', { class: 'plan-time' }, isAllReused ? t('new_job.at_once') : duration(estimate.seconds)),
    h('p', { class: 'muted small' }, source(estimate, isAllReused)),
    facts([
      [t('new_job.steps'), String(steps.length)],
      [t('new_job.reused'), String(reused)],
      [t('new_job.on_gpu'), String(onGpu.length)],
    ]),
    onGpu.length > 0 && h('p', { class: 'muted small' }, t('new_job.gpu_help')),
    h(
      'details',
      { class: 'more' },
      h('summary', null, t('new_job.by_kind')),
      h(
        'table',
        { class: 'table plan-kinds' },
        h('thead', null, h('tr', null, ['kind', 'steps', 'reused', 'time'].map((name) => h('th', { scope: 'col', class: name !== 'kind' && 'num' }, t(`new_job.${name}`))))),
        h(
          'tbody',
          null,
          [...kinds].map(([kind, one]) =>
            h(
              'tr',
              null,
              h('th', { scope: 'row' }, tOr(`new_job.step_${kind}`, kind)),
              h('td', { class: 'num' }, one.count),
              h('td', { class: 'num' }, one.reused),
              h('td', { class: 'num' }, one.seconds ? duration(one.seconds) : '–'),
            ),
          ),
        ),
      ),
    ),
  ];
}

function source(estimate, isAllReused) {
  if (isAllReused) return t('new_job.all_reused');
  if (estimate.source === TYPICAL) return t('new_job.typical');
  return [english(estimate.source), '; ', t('new_job.measured', { share: percent(estimate.measured_share) })];
}

function advice(plan) {
  if (!plan.advice.length) return null;
  return h(
    'div',
    { class: 'plan-advice' },
    h('h3', null, t('new_job.advice')),
    h('ul', null, plan.advice.map((text) => h('li', null, english(text)))),
  );
}
