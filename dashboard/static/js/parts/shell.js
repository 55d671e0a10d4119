/** The frame around every view: where one is, where one can go, who one is. */

import { del, session } from '../core/api.js';
import { append, fill, h, s } from '../core/dom.js';
import { language, LANGUAGES, setLanguage, t } from '../core/i18n.js';
import { setTheme, theme, THEMES } from '../core/theme.js';
import { toast } from './notices.js';

const PLACES = [
  ['/jobs', 'app.jobs'],
  ['/datasets', 'app.datasets'],
  ['/models', 'app.models'],
  ['/admin', 'app.admin', 'admin'],
];

/** Whether whoever is signed in has a scope. */
export const may = (scope) => session.value?.me.scopes.includes(scope) ?? false;

/** A shoot that was set into a stem: what the name means. */
export function logo(size = 28) {
  return s(
    'svg',
    { viewBox: '0 0 32 32', width: size, height: size, class: 'logo', 'aria-hidden': 'true' },
    s('path', { d: 'M14 30V17', class: 'logo-stem' }),
    s('path', { d: 'M14 20C14 12 9 9 3 9c0 7 4 11 11 11Z', class: 'logo-leaf' }),
    s('path', { d: 'M14 15c0-8 6-12 15-13 0 9-5 14-15 13Z', class: 'logo-graft' }),
  );
}

/**
 * Put the frame into the page.
 *
 * @returns {{outlet: HTMLElement, mark: function(string): void}} The place for views; `mark` says
 *   which path is shown.
 */
export function installShell(body) {
  const outlet = h('main', { id: 'main', tabindex: -1 });
  const links = h('ul', { class: 'places' });
  const person = h('div', { class: 'person' });
  const header = h(
    'header',
    { class: 'top' },
    h('a', { class: 'skip', href: '#main', on: { click: (event) => (event.preventDefault(), outlet.focus()) } }),
    h('a', { class: 'brand', href: '#/' }, logo(), h('span', null, 'Graft')),
    h('nav', { class: 'places-nav' }, links),
    person,
  );
  const foot = h('footer', { class: 'foot' });
  append(body, header, outlet, foot);
  let path = '/';

  function draw() {
    fill(header.querySelector('.skip'), t('app.skip'));
    header.querySelector('nav').setAttribute('aria-label', t('app.places'));
    const isIn = session.value !== null;
    header.classList.toggle('top-out', !isIn);
    fill(
      links,
      isIn &&
        PLACES.filter(([, , scope]) => !scope || may(scope)).map(([to, label]) =>
          h('li', null, h('a', { href: `#${to}`, 'aria-current': path.startsWith(to) ? 'page' : null }, t(label))),
        ),
    );
    fill(person, choices(), isIn && account());
    fill(foot, h('p', null, t('app.foot')), h('p', null, h('a', { href: '/docs' }, t('app.reference'))));
  }

  session.subscribe(draw);
  language.subscribe(draw);
  draw();
  return {
    outlet,
    mark(next) {
      path = next;
      draw();
    },
  };
}

function choices() {
  const tongue = h('select', { 'aria-label': t('app.language'), class: 'quiet' });
  for (const [tag, name] of Object.entries(LANGUAGES))
    tongue.append(h('option', { value: tag, lang: tag, selected: tag === language.value }, name));
  tongue.addEventListener('change', () => setLanguage(tongue.value));
  const light = h('select', { 'aria-label': t('app.theme'), class: 'quiet' });
  for (const name of THEMES)
    light.append(h('option', { value: name, selected: name === theme() }, t(`app.theme_${name}`)));
  light.addEventListener('change', () => setTheme(light.value));
  return [tongue, light];
}

function account() {
  const { me } = session.value;
  const out = h('button', { type: 'button', class: 'button button-small' }, t('app.sign_out'));
  out.addEventListener('click', async () => {
    try {
      await del('/v1/session');
    } catch (error) {
      // Whoever leaves a shared machine must not believe that they are out while the cookie is good.
      if (error.status !== 401) {
        toast(t('app.not_signed_out'), { kind: 'danger' });
        return;
      }
    }
    session.value = null;
  });
  return h('div', { class: 'account' }, h('span', { class: 'who', title: me.name }, me.workspace_name), out);
}
