/** Signing in: with a key, or where one's own house vouches for one. */

import { get, post, session } from '../core/api.js';
import { fill, h } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { field } from '../parts/bits.js';
import { problemBox } from '../parts/notices.js';
import { logo } from '../parts/shell.js';

/** Show the form. */
export async function view({ signal }) {
  const methods = await get('/v1/session/methods', { signal });
  const title = t('app.sign_in');
  const input = h('input', {
    type: 'password', name: 'key', required: true, autocomplete: 'current-password', spellcheck: 'false', placeholder: 'graft_…',
  });
  const asked = field(t('app.key'), input, { help: t('app.key_help') });
  const place = h('div');
  const submit = h('button', { class: 'button button-primary', type: 'submit' }, title);
  const form = h('form', { class: 'card sign-in-form', novalidate: true }, asked.node, place, submit);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const key = input.value.trim();
    asked.fail(key ? null : t('app.key_missing'));
    if (!key) return input.focus();
    submit.disabled = true;
    fill(place);
    try {
      const found = await post('/v1/session', { key });
      input.value = '';
      session.value = found;
    } catch (error) {
      fill(place, problemBox(error));
      input.select();
      input.focus();
    } finally {
      submit.disabled = false;
    }
    return undefined;
  });
  const node = h(
    'div',
    { class: 'page sign-in' },
    h('div', { class: 'sign-in-head' }, logo(56), h('h1', { tabindex: -1 }, title), h('p', { class: 'lead' }, t('app.about'))),
    methods.oidc &&
      h('div', { class: 'card' }, h('a', { class: 'button button-primary', href: methods.oidc.start }, t('app.sign_in_oidc')), h('p', { class: 'muted' }, new URL(methods.oidc.issuer).host)),
    form,
  );
  return { title, node };
}
