/** Where the page begins: who are you, and what do you want to see. */

import { get, session } from './core/api.js';
import { fill, h } from './core/dom.js';
import { language, loadWords, t } from './core/i18n.js';
import { here, route, start } from './core/router.js';
import { apply } from './core/theme.js';
import { installNotices, problemBox, say } from './parts/notices.js';
import { installShell } from './parts/shell.js';

route('/', () => import('./views/home.js'));
route('/sign-in', () => import('./views/sign_in.js'));
route('/datasets', () => import('./views/datasets.js'));
route('/datasets/:id', () => import('./views/dataset.js'));
route('/jobs', () => import('./views/jobs.js'));
route('/jobs/new', () => import('./views/new_job.js'));
route('/jobs/:id', () => import('./views/job.js'));
route('/jobs/:id/results', () => import('./views/results.js'));
route('/compare/:first/:second', () => import('./views/compare.js'));
route('/models', () => import('./views/models.js'));
route('/models/:id', () => import('./views/model.js'));
route('/admin', () => import('./views/admin.js'));

const OPEN = '/sign-in';

async function begin() {
  apply();
  document.documentElement.lang = language.value;
  const who = get('/v1/session').catch((error) => {
    if (error.status !== 401) throw error;
    return null;
  });
  await loadWords('app', 'problems');
  fill(document.body);
  installNotices(document.body);
  const { outlet, mark } = installShell(document.body);
  try {
    session.value = await who;
  } catch (error) {
    fill(outlet, h('div', { class: 'page' }, problemBox(error, () => location.reload())));
    return;
  }
  let isFirst = true;
  const show = start(outlet, {
    elsewhere,
    onShown(path, title) {
      mark(path);
      if (isFirst) isFirst = false;
      else {
        // A view that is shown anew is a new page to whoever does not see it.
        say(title);
        outlet.querySelector('h1')?.focus({ preventScroll: true });
        window.scrollTo(0, 0);
      }
    },
    failed: (error) => h('div', { class: 'page' }, h('h1', { tabindex: -1 }, t('app.failed')), problemBox(error, () => show())),
  });
  session.subscribe(() => show());
  language.subscribe(() => show());
  show();
}

/** Where somebody has to be before they see what they wanted; null: there. */
function elsewhere() {
  const { path, query } = here();
  if (session.value === null && path !== OPEN) return `${OPEN}?to=${encodeURIComponent(location.hash.slice(1))}`;
  if (session.value !== null && path === OPEN) return query.get('to') || '/';
  return null;
}

begin();
