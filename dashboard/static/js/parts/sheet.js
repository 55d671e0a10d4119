/** Single pictures out of a sheet: one request for many small images. */

import { h } from '../core/dom.js';

/**
 * Show some cells of a sheet.
 *
 * @param {{src: string, columns: number, size: number, cells: Array<{index: number, alt: string,
 *   caption?: any}>, shown?: number, gap?: number, pixelated?: boolean}} options `size` is the side
 *   of a cell in the sheet's pixels, `gap` what lies between two; `shown` the side in CSS pixels.
 */
export function cells({ src, columns, size, cells: wanted, shown = 96, gap = 0, pixelated = false }) {
  return h(
    'ul',
    { class: 'pictures', style: { '--cell': `${shown}px` } },
    wanted.map(({ index, alt, caption }) =>
      h('li', null, h('figure', null, cell({ src, columns, size, index, alt, shown, gap, pixelated }), caption && h('figcaption', null, caption))),
    ),
  );
}

/** Show one cell of a sheet; as `cells`. */
export function cell({ src, columns, size, index, alt, shown = 96, gap = 0, pixelated = false }) {
  const scale = shown / size;
  const x = (index % columns) * (size + gap) * scale;
  const y = Math.floor(index / columns) * (size + gap) * scale;
  const image = h('img', { src, alt: '', draggable: 'false', class: pixelated && 'pixelated' });
  // Its own size is known once it is there.
  image.addEventListener('load', () => {
    image.style.setProperty('inline-size', `${image.naturalWidth * scale}px`);
    image.style.setProperty('block-size', `${image.naturalHeight * scale}px`);
  });
  image.style.setProperty('transform', `translate(${-x}px, ${-y}px)`);
  return h('div', { class: 'cell', role: 'img', 'aria-label': alt, style: { '--cell': `${shown}px` } }, image);
}
