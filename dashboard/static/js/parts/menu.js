/** A button with a menu (ARIA Authoring Practices, "Menu Button"). The menu is made when it is opened. */

import { h, uid } from '../core/dom.js';

/**
 * @param {string} label Of the button, read out: what the menu is about.
 * @param {function(): Array<{label: string, href?: string, onClick?: function(): any, danger?: boolean}>}
 *   items Asked for each time the menu is opened.
 * @returns {HTMLElement}
 */
export function menuButton(label, items) {
  const button = h('button', { type: 'button', class: 'menu-button', 'aria-haspopup': 'menu', 'aria-expanded': 'false', 'aria-label': label, title: label }, '⋯');
  let menu = null;
  let closing = null; // ends what is listened to while the menu is open

  function close(focus) {
    if (!menu) return;
    const gone = menu;
    menu = null;
    closing?.abort();
    button.setAttribute('aria-expanded', 'false');
    button.removeAttribute('aria-controls');
    gone.remove();
    if (focus) button.focus();
  }

  function open(at) {
    const entries = items().map(({ label: text, href, onClick, danger }) => {
      const props = { role: 'menuitem', tabindex: -1, class: ['menu-item', danger && 'menu-danger'] };
      const node = href ? h('a', { ...props, href }, text) : h('button', { ...props, type: 'button' }, text);
      node.addEventListener('click', () => {
        close(!href);
        onClick?.();
      });
      return node;
    });
    menu = h('div', { role: 'menu', class: 'menu', id: uid('menu'), popover: 'auto', 'aria-label': label }, entries);
    // In the top layer, so that no table that scrolls cuts it off; a press elsewhere closes it.
    (button.closest('main') ?? document.body).append(menu);
    menu.addEventListener('toggle', (event) => event.newState === 'closed' && close(false));
    menu.addEventListener('keydown', (event) => {
      const now = entries.indexOf(document.activeElement);
      const next = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: entries.length - 1 }[event.key];
      if (event.key === 'Escape' || event.key === 'Tab') close(true);
      else if (next !== undefined) entries[(next + entries.length) % entries.length].focus();
      else return;
      if (event.key !== 'Tab') event.preventDefault();
    });
    menu.showPopover();
    button.setAttribute('aria-expanded', 'true');
    button.setAttribute('aria-controls', menu.id);
    const from = button.getBoundingClientRect();
    const size = menu.getBoundingClientRect();
    const top = from.bottom + size.height + 8 > innerHeight ? from.top - size.height - 4 : from.bottom + 4;
    menu.style.setProperty('inset-block-start', `${Math.max(4, top)}px`);
    menu.style.setProperty('inset-inline-start', `${Math.max(4, Math.min(from.right - size.width, innerWidth - size.width - 4))}px`);
    entries.at(at)?.focus({ preventScroll: true });
    // It would stay where it is while its button moves away. What was scrolled before, and is only
    // told now, has moved nothing since.
    const onScroll = () => {
      const now = button.getBoundingClientRect();
      if (now.top !== from.top || now.left !== from.left) close(false);
    };
    closing = new AbortController();
    window.addEventListener('scroll', onScroll, { capture: true, signal: closing.signal });
  }

  // The press that closes the menu is also one on the button: it must not open it again.
  let wasOpen = false;
  button.addEventListener('pointerdown', () => (wasOpen = menu !== null));
  button.addEventListener('click', () => {
    if (menu) close(true);
    else if (!wasOpen) open(0);
    wasOpen = false;
  });
  button.addEventListener('keydown', (event) => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    event.preventDefault();
    open(event.key === 'ArrowDown' ? 0 : -1);
  });
  return button;
}
