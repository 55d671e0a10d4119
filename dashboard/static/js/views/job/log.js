/** What a job's steps have told, the newest last, as it comes. */

import { get } from '../../core/api.js';
import { fill, h } from '../../core/dom.js';
import { number, t } from '../../core/i18n.js';
import { poll, sleep } from '../../core/live.js';
import { button, field } from '../../parts/bits.js';
import { copyButton } from '../../parts/copy.js';
import { problemBox } from '../../parts/notices.js';
import { isFinal } from './follow.js';

const LOOK_MILLISECONDS = 3000;
const PAGE = 200;
/** As many as the service keeps of a job. */
const MOST = 5000;
/** So many are in the page; of more the newest, and the others when asked for. */
const WINDOW = 1000;
const NEAR_END_PIXELS = 40;
const LEVELS = { all: [], warning: ['warning', 'error'], error: ['error'] };
const MARKS = { warning: '▲', error: '✕' };

/**
 * @param {object} state Of `follow`.
 * @param {AbortSignal} signal
 * @returns {HTMLElement}
 */
export function log(state, signal) {
  let lines = [];
  let cursor = null;
  let level = 'all';
  let isFollowing = true;
  let most = WINDOW;

  const list = h('ol', { class: 'log-lines' });
  const box = h('div', { class: 'log-box', role: 'region', tabindex: 0, 'aria-label': t('job.log') }, list);
  const none = h('p', { class: 'empty' }, t('job.log_empty'));
  const trouble = h('div');
  const count = h('p', { class: 'muted small' });
  const toEnd = button(t('job.log_to_end'), () => end(), { kind: 'small', hidden: true });
  const select = h('select', null, Object.keys(LEVELS).map((name) => h('option', { value: name }, t(`job.log_${name}`))));
  select.addEventListener('change', () => {
    level = select.value;
    most = WINDOW;
    draw();
    end();
  });
  const older = button('', () => {
    const fromEnd = box.scrollHeight - box.scrollTop;
    most += WINDOW;
    draw();
    box.scrollTop = box.scrollHeight - fromEnd;
  }, { kind: 'small', hidden: true });
  box.addEventListener('scroll', () => {
    isFollowing = box.scrollHeight - box.scrollTop - box.clientHeight < NEAR_END_PIXELS;
    toEnd.hidden = isFollowing;
  }, { passive: true });

  const isShown = (one) => level === 'all' || LEVELS[level].includes(one.level);

  function end() {
    isFollowing = true;
    toEnd.hidden = true;
    box.scrollTop = box.scrollHeight;
  }

  const wanted = () => lines.filter(isShown);

  function draw() {
    fill(list, wanted().slice(-most).map(row));
    told();
  }

  function told() {
    none.hidden = lines.length > 0;
    box.hidden = lines.length === 0;
    fill(count, lines.length === 0 ? '' : t('job.log_count', { n: lines.length, shown: number(list.childElementCount) }));
    const hidden = wanted().length - list.childElementCount;
    older.hidden = hidden <= 0;
    fill(older, t('job.log_older', { n: Math.min(WINDOW, Math.max(0, hidden)) }));
  }

  function add(fresh) {
    lines = [...lines, ...fresh].slice(-MOST);
    list.append(...fresh.filter(isShown).map(row));
    // Whoever reads further up must not have the lines moved.
    if (isFollowing) while (list.childElementCount > most) list.firstElementChild.remove();
    told();
    if (isFollowing) end();
  }

  async function look() {
    if (!box.isConnected && cursor !== null) return false;
    // Whether it is over has to be known before the last lines are asked for.
    const isLast = isFinal(state.job.value);
    try {
      let page;
      do {
        const from = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
        page = await get(`/v1/jobs/${encodeURIComponent(state.job.value.id)}/log?limit=${PAGE}&order=asc${from}`, { signal });
        cursor = page.next_cursor ?? cursor;
        add(page.items);
      } while (page.items.length === PAGE);
      fill(trouble);
      return isLast;
    } catch (error) {
      if (error.name === 'AbortError') throw error;
      if (error.status === 404) {
        fill(none, t('job.log_none'));
        return true;
      }
      fill(trouble, problemBox(error));
      return false;
    }
  }

  (async () => {
    while (!box.isConnected) await sleep(50, signal);
    poll(look, LOOK_MILLISECONDS, signal);
  })().catch(() => {});
  box.hidden = true;
  const text = () =>
    wanted()
      .map((one) => `${one.at} ${one.level.toUpperCase()} ${one.step}${one.attempt > 1 ? `#${one.attempt}` : ''} ${one.text}`)
      .join('\n');
  return h(
    'div',
    { class: 'card log' },
    h('h2', { class: 'visually-hidden' }, t('job.log')),
    h('div', { class: 'log-bar' }, field(t('job.log_level'), select).node, count, h('div', { class: 'actions' }, older, toEnd, copyButton(t('job.copy_log'), text))),
    trouble,
    none,
    box,
  );
}

function row({ at, level, step, attempt, text }) {
  const time = new Date(at);
  return h(
    'li',
    { class: ['log-line', `log-${level}`] },
    h('time', { datetime: at, title: time.toLocaleString() }, time.toTimeString().slice(0, 8)),
    h('span', { class: 'log-level' }, MARKS[level] && [h('span', { 'aria-hidden': 'true' }, MARKS[level]), h('span', { class: 'visually-hidden' }, t(`job.level_${level}`))]),
    h('span', { class: 'log-step' }, attempt > 1 ? t('job.log_attempt', { step, n: attempt }) : step),
    h('span', { class: 'log-text', lang: 'en' }, text),
  );
}
