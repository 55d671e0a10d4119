/** How an archive has to be laid out: drawn and said. */

import { h, s } from '../../core/dom.js';
import { t } from '../../core/i18n.js';

/** Return the explanation; `isOpen`: unfolded. */
export function layoutHelp(isOpen) {
  return h(
    'details',
    { class: 'layout-help', open: isOpen },
    h('summary', null, t('datasets.layout')),
    h(
      'div',
      { class: 'columns' },
      h('figure', null, h('figcaption', null, t('datasets.layout_plain')), tree([['benign', []], ['malignant', []]])),
      h(
        'figure',
        null,
        h('figcaption', null, t('datasets.layout_split')),
        tree([['train', [['benign', []], ['malignant', []]]], ['test', [['benign', []], ['malignant', []]]]]),
      ),
    ),
    h('ul', { class: 'small' }, ['formats', 'patients', 'pixels', 'least'].map((what) => h('li', null, t(`datasets.layout_${what}`)))),
  );
}

const tree = (folders) =>
  h('ul', { class: 'tree' }, folders.map(([name, inner]) => h('li', null, folder(), h('code', null, `${name}/`), inner.length ? tree(inner) : pictures())));

const folder = () =>
  s('svg', { viewBox: '0 0 20 16', width: 20, height: 16, class: 'folder', 'aria-hidden': 'true' }, s('path', { d: 'M1 3a2 2 0 0 1 2-2h4l2 2h8a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H3a2 2 0 0 1-2-2Z' }));

/** Some pictures in a folder; their names do not matter. */
const pictures = () =>
  h(
    'span',
    { class: 'tree-pictures' },
    s(
      'svg',
      { viewBox: '0 0 62 16', width: 62, height: 16, 'aria-hidden': 'true' },
      [0, 20, 40].map((x) => s('g', { transform: `translate(${x} 0)` }, s('rect', { x: 1, y: 1, width: 16, height: 14, rx: 2 }), s('circle', { cx: 9, cy: 8, r: 3.5 }))),
    ),
    '…',
  );
