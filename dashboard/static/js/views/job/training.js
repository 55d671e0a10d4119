/** How a training goes: its losses, what its snapshots are judged to be, and what they look like. */

import { get } from '../../core/api.js';
import { fill, h } from '../../core/dom.js';
import { number, t } from '../../core/i18n.js';
import { poll, sleep } from '../../core/live.js';
import { here, setQuery } from '../../core/router.js';
import { badge, english, field, section } from '../../parts/bits.js';
import { chart } from '../../parts/chart.js';
import { problemBox } from '../../parts/notices.js';
import { kidSeries, lossSeries, scoreSeries, shareSeries, toldOf } from './curves.js';
import { isTraining, subjectOf, workLabel, workOf } from './naming.js';
import { snapshots } from './snapshots.js';

const LOOK_MILLISECONDS = 3000;

/**
 * @param {object} state Of `follow`.
 * @param {AbortSignal} signal
 * @returns {{node: HTMLElement, choose: function(string): void}} `choose` shows a step's training.
 */
export function training(state, signal) {
  const all = () => state.steps.value.filter(isTraining);
  const wanted = here().query.get('training');
  let chosen = (all().find((one) => one.name === wanted) ?? all().find((one) => one.status === 'running') ?? all().find((one) => one.status === 'succeeded') ?? all()[0])?.name;
  let looking = null;

  const select = h('select', { on: { change: () => choose(select.value) } });
  const status = h('div', { class: 'training-state' });
  const place = h('div', { class: 'training' });
  const pictures = snapshots(signal);
  const losses = chartIn(t('job.losses_title'), t('job.loss'));
  const kid = chartIn(t('job.kid_title'), t('job.quality_kid'));
  const score = chartIn(t('job.score_title'), t('job.quality_score'));
  const shares = chartIn(t('job.shares_title'), t('job.share'));
  const notices = h('div');
  const body = h(
    'div',
    { class: 'training-body', hidden: true },
    section(t('job.samples'), pictures.node),
    section(t('job.losses'), h('p', { class: 'muted small' }, t('job.losses_help')), losses.node),
    h('div', { class: 'training-quality' }, section(t('job.quality'), h('p', { class: 'muted small' }, t('job.quality_help')), h('div', { class: 'columns' }, score.node, kid.node, shares.node))),
  );
  fill(place, notices, body);

  function options() {
    const trainings = all();
    const told = trainings.map((step) => [step.name, `${workLabel(workOf(step))}: ${subjectOf(step)} – ${t(`app.status_${step.status}`)}`]);
    if (JSON.stringify(told) === select.dataset.told) return;
    select.dataset.told = JSON.stringify(told);
    fill(select, told.map(([name, label]) => h('option', { value: name, selected: name === chosen }, label)));
  }

  function show(course) {
    body.hidden = false;
    pictures.set(course);
    const rules = course.chosen_epoch === null || course.chosen_epoch === undefined ? [] : [{ x: course.chosen_epoch, label: t('job.chosen') }];
    losses.set(lossSeries(course.points), rules);
    kid.set(kidSeries(course.judgements, course.chosen_epoch), rules);
    score.set(scoreSeries(course.judgements, course.chosen_epoch), rules);
    shares.set(shareSeries(course.judgements, course.chosen_epoch), rules);
    const last = course.points.at(-1)?.epoch ?? course.snapshots.at(-1)?.epoch ?? 0;
    const step = all().find((one) => one.name === chosen);
    fill(status, step && badge(step.status), h('span', null, t('job.epoch_of', { epoch: last, epochs: course.epochs })), !course.is_final && h('span', { class: 'muted' }, t('job.refreshed')));
    fill(
      notices,
      course.ended_early && h('p', { class: 'box' }, t(`job.ended_${course.ended_early}`)),
      (course.notices ?? []).map((text) => h('p', { class: 'box box-warn' }, english(text))),
    );
  }

  function absent(error) {
    const step = all().find((one) => one.name === chosen);
    fill(status, step && badge(step.status));
    if (error.status !== 404) return fill(notices, problemBox(error));
    body.hidden = true;
    const key = { queued: 'not_begun', pending: 'not_begun', running: 'first_soon' }[step?.status] ?? 'no_course';
    return fill(notices, h('p', { class: 'empty' }, t(`job.${key}`)));
  }

  async function look() {
    looking?.abort();
    looking = new AbortController();
    const mine = looking;
    const name = chosen;
    const until = AbortSignal.any([signal, mine.signal]);
    const address = `/v1/jobs/${encodeURIComponent(state.job.value.id)}/steps/${encodeURIComponent(name)}/course`;
    try {
      // Whoever has made this puts it into the page after that.
      while (!place.isConnected) await sleep(50, until);
    } catch {
      return;
    }
    poll(
      async () => {
        // Another tab is shown.
        if (!place.isConnected) return false;
        try {
          const course = await get(address, { signal: until });
          show(course);
          return course.is_final;
        } catch (error) {
          if (error.name === 'AbortError') throw error;
          absent(error);
          const step = all().find((one) => one.name === name);
          return error.status === 404 && ['succeeded', 'failed', 'cancelled', 'skipped'].includes(step?.status);
        }
      },
      LOOK_MILLISECONDS,
      until,
    );
  }

  function choose(name) {
    if (!all().some((one) => one.name === name)) return;
    chosen = name;
    options();
    select.value = name;
    setQuery({ training: name });
    body.hidden = true;
    fill(notices);
    look();
  }

  options();
  state.steps.subscribe(options, signal);
  const chooser = field(t('job.which_training', { n: all().length }), select);
  const node = h('div', { class: 'training-tab' }, h('div', { class: 'training-head' }, chooser.node, status), place);
  look();
  return { node, choose };
}

/** A chart that is made when there is something to draw. */
function chartIn(title, y) {
  const node = h('div', { class: 'chart-place' }, h('p', { class: 'muted' }, t('job.no_curve')));
  let drawn = null;
  let told = '';
  return {
    node,
    set(series, rules) {
      const next = JSON.stringify([series, rules]);
      if (next === told) return;
      told = next;
      node.hidden = false;
      if (!series.length) {
        drawn = null;
        fill(node, h('p', { class: 'muted' }, t('job.no_curve')));
        return;
      }
      const most = Math.max(...series.map((one) => one.points.length));
      // Marks of several lines stand beside each other, which a line of many points does not bear.
      const hasMarks = most <= 3 || (series.length === 1 && most <= 40);
      const options = {
        title,
        summary: [toldOf(series), ...rules.map((rule) => t('job.chosen_at', { epoch: number(rule.x) }))].join(' '),
        x: { label: t('job.epoch'), isWhole: true },
        y: { label: y },
        series,
        rules,
        height: 260,
        marks: hasMarks,
      };
      if (drawn) drawn.update(options);
      else {
        drawn = chart(options);
        fill(node, drawn.node);
      }
    },
  };
}

