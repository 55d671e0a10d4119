/** Where archives are dropped or chosen, named and sent. */

import { fill, h, s, uid } from '../../core/dom.js';
import { bytes, t } from '../../core/i18n.js';
import { button, field } from '../../parts/bits.js';
import { say } from '../../parts/notices.js';
import { enqueue } from './queue.js';

const SIZE = { least: 32, most: 512, usual: 224 };
const ARCHIVE = /\.(zip|tar|tgz|tar\.gz)$/i;
const LONGEST_NAME = 200;

/** Return the place to drop archives. */
export function dropZone() {
  let chosen = []; // {id, file, name}
  const id = uid('files');
  const input = h('input', {
    type: 'file', id, multiple: true, class: 'drop-input', 'aria-describedby': `${id}-help`,
    accept: '.zip,.tar,.tgz,.gz,application/zip,application/gzip,application/x-tar',
  });
  const zone = h(
    'div',
    { class: 'drop' },
    cloud(),
    h('p', { class: 'drop-words' }, h('span', { 'aria-hidden': 'true' }, t('datasets.drop'), ' '), h('label', { for: id, class: 'button' }, t('datasets.choose'))),
    h('p', { class: 'muted small', id: `${id}-help` }, t('datasets.drop_help')),
    input,
  );
  const place = h('div', { class: 'chosen' });

  function take(files) {
    chosen = [...chosen, ...[...files].map((file) => ({ id: uid('chosen'), file, name: nameOf(file) }))];
    say(t('datasets.chosen', { n: chosen.length }));
    draw();
    place.querySelector('input')?.focus();
  }

  const size = h('input', { type: 'number', min: SIZE.least, max: SIZE.most, step: 1, required: true, inputmode: 'numeric', props: { value: SIZE.usual } });
  const asked = field(t('datasets.image_size'), size, { help: t('datasets.image_size_help') });

  function draw() {
    if (chosen.length === 0) return fill(place);
    return fill(
      place,
      h('ul', { class: 'chosen-list' }, chosen.map(row)),
      h(
        'details',
        { class: 'more' },
        h('summary', null, t('datasets.more')),
        asked.node,
      ),
      h(
        'div',
        { class: 'actions' },
        button(t('datasets.upload', { n: chosen.length }), sendAll, { kind: 'primary' }),
        button(t('app.cancel'), () => {
          chosen = [];
          draw();
          input.focus();
        }),
      ),
    );
  }

  function row(one) {
    const name = h('input', { type: 'text', maxlength: LONGEST_NAME, autocomplete: 'off', props: { value: one.name } });
    name.addEventListener('input', () => (one.name = name.value));
    const named = field(t('datasets.name_of', { file: one.file.name }), name);
    if (!ARCHIVE.test(one.file.name)) named.fail(t('datasets.no_archive'));
    return h(
      'li',
      null,
      named.node,
      h('span', { class: 'muted nowrap' }, bytes(one.file.size)),
      button(t('datasets.leave_out'), () => {
        chosen = chosen.filter((other) => other !== one);
        draw();
        (place.querySelector('input') ?? input).focus();
      }, { kind: 'small', 'aria-label': t('datasets.leave_out_file', { file: one.file.name }) }),
    );
  }

  function sendAll() {
    const side = Number(size.value);
    const isOffered = Number.isInteger(side) && side >= SIZE.least && side <= SIZE.most;
    asked.fail(isOffered ? null : t('datasets.image_size_wrong', SIZE));
    if (!isOffered) {
      place.querySelector('.more').open = true;
      size.focus();
      return;
    }
    enqueue(chosen.map(({ file, name }) => ({ file, name: clean(name) })), side);
    chosen = [];
    draw();
    input.focus();
  }

  input.addEventListener('change', () => {
    take(input.files);
    // The same file can be chosen again.
    input.value = '';
  });
  catchDrops(zone, take);
  return h('div', { class: 'drop-box' }, zone, place);
}

function catchDrops(zone, take) {
  let depth = 0;
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    zone.classList.toggle('drop-over', depth > 0);
  };
  const hasFiles = (event) => [...event.dataTransfer.types].includes('Files');
  zone.addEventListener('dragenter', (event) => hasFiles(event) && mark(1));
  zone.addEventListener('dragleave', (event) => hasFiles(event) && mark(-1));
  zone.addEventListener('dragover', (event) => event.preventDefault());
  zone.addEventListener('drop', (event) => {
    event.preventDefault();
    depth = 0;
    mark(0);
    if (event.dataTransfer.files.length) take(event.dataTransfer.files);
  });
}

const clean = (name) => name.replace(/[\x00-\x1f\x7f]/g, ' ').trim().slice(0, LONGEST_NAME);
const nameOf = (file) => clean(file.name.replace(ARCHIVE, ''));

const cloud = () =>
  s(
    'svg',
    { viewBox: '0 0 48 40', width: 48, height: 40, class: 'drop-mark', 'aria-hidden': 'true' },
    s('path', { d: 'M24 30V9m0 0-8 8m8-8 8 8' }),
    s('path', { d: 'M6 26v7a4 4 0 0 0 4 4h28a4 4 0 0 0 4-4v-7' }),
  );
