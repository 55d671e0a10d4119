/** Signing in: with a key, or where one's own house vouches for one. */

import { ApiError, get, post, session } from '../core/api.js';
import { fill, h } from '../core/dom.js';
import { t } from '../core/i18n.js';
import { button, field } from '../parts/bits.js';
import { problemBox } from '../parts/notices.js';
import { logo } from '../parts/shell.js';

/** Where the service says how coming back from the issuer went: `?sign_in=choose`, or a code. */
const CAME_BACK = 'sign_in';
const CHOOSE = 'choose';

/** Show the form. */
export async function view({ signal }) {
  const came = takeWhatCameBack();
  const [methods, offers] = await Promise.all([
    get('/v1/session/methods', { signal }),
    came === CHOOSE ? get('/v1/session/workspace', { signal }).catch(() => null) : null,
  ]);
  const title = t('app.sign_in');
  const node = h(
    'div',
    { class: 'page sign-in' },
    h('div', { class: 'sign-in-head' }, logo(56), h('h1', { tabindex: -1 }, title), h('p', { class: 'lead' }, t('app.about'))),
    came && came !== CHOOSE && problemBox(new ApiError(401, { code: came, detail: t('app.sign_in_failed') })),
    offers && choice(offers.items),
    methods.oidc &&
      h('div', { class: 'card' }, h('a', { class: 'button button-primary', href: methods.oidc.start }, t('app.sign_in_oidc')), h('p', { class: 'muted' }, new URL(methods.oidc.issuer).host)),
    keyForm(title),
  );
  return { title, node };
}

/** Return what the address tells, and take it out of there: a reload is no second attempt. */
function takeWhatCameBack() {
  const came = new URLSearchParams(location.search).get(CAME_BACK);
  if (came !== null) history.replaceState(null, '', `${location.pathname}${location.hash}`);
  return came;
}

/** Several workspaces: the person says which. */
function choice(workspaces) {
  const place = h('div');
  const choose = async (workspace) => {
    try {
      session.value = await post('/v1/session/workspace', { workspace: workspace.id });
    } catch (error) {
      fill(place, problemBox(error));
    }
  };
  return h(
    'section',
    { class: 'card', 'aria-label': t('app.choose_workspace') },
    h('h2', null, t('app.choose_workspace')),
    workspaces.map((one) => button(one.name, () => choose(one))),
    place,
  );
}

function keyForm(title) {
  const input = h('input', {
    type: 'password', name: 'key', required: true, autocomplete: 'off', spellcheck: 'false', placeholder: 'graft_…',
  });
  const asked = field(t('app.key'), input, { help: t('app.key_help') });
  const place = h('div');
  const submit = h('button', { class: 'button button-primary', type: 'submit' }, title);
  const form = h('form', { class: 'card sign-in-form', novalidate: true }, asked.node, place, submit);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const key = input.value.trim();
    asked.fail(key ? null : t('app.key_missing'));
    if (!key) {
      input.focus();
      return;
    }
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
  });
  return form;
}
