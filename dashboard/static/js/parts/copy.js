/** Copying to the clipboard, also where the page came by plain http, which has no clipboard. */

import { h } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { button } from './bits.js';
import { toast } from './notices.js';

/**
 * Copy a text, and say that it was copied or that it could not be.
 *
 * @param {string} text
 */
export async function copyText(text) {
  const isDone = await copied(text);
  toast(t(isDone ? 'app.copied' : 'app.not_copied'), { kind: isDone ? 'ok' : 'danger', seconds: 3 });
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Refused, or not there: browsers have it on https and loopback alone.
  }
  const before = document.activeElement;
  const area = h('textarea', { class: 'visually-hidden', 'aria-hidden': 'true', tabindex: -1, props: { value: text } });
  // A dialog makes everything beside it inert.
  (document.querySelector('dialog[open]') ?? document.body).append(area);
  area.select();
  const isDone = document.execCommand('copy');
  area.remove();
  before?.focus();
  return isDone;
}

/**
 * A button that copies.
 *
 * @param {string} label
 * @param {function(): string} textOf Asked for when it is pressed.
 */
export const copyButton = (label, textOf, props = {}) =>
  button(label, () => copyText(textOf()), { kind: 'small', ...props });
