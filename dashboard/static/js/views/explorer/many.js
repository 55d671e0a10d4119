/** Asking for as many images as one needs: a job of its own. */

import { post } from '../../core/api.js';
import { fill, h } from '../../core/dom.js';
import { t } from '../../core/i18n.js';
import { go } from '../../core/router.js';
import { field } from '../../parts/bits.js';
import { dialog } from '../../parts/dialog.js';
import { problemBox } from '../../parts/notices.js';
import { randomId } from '../../core/api.js';

const MOST = 100000;

/** A button that opens the form. */
export function makeMany(model) {
  return h('button', { type: 'button', class: 'button button-primary', on: { click: () => open(model) } }, t('models.make'));
}

function open(model) {
  const input = h('input', { type: 'number', min: 1, max: MOST, step: 1, inputmode: 'numeric', props: { value: '100' } });
  const count = field(t('models.how_many'), input, { help: t('models.how_many_help') });
  const place = h('div');
  const yes = h('button', { type: 'submit', class: 'button button-primary' }, t('models.make_these'));
  const no = h('button', { type: 'button', class: 'button' }, t('models.not_now'));
  const form = h('form', { id: `many-${model.id}`, novalidate: true }, count.node, place);
  yes.setAttribute('form', form.id);
  const { close } = dialog({ title: t('models.make'), body: form, actions: [no, yes] });
  // The same for every press: pressed twice it is one job.
  const once = randomId();
  no.addEventListener('click', close);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const n = Number(input.value);
    const isWrong = !Number.isInteger(n) || n < 1 || n > MOST;
    count.fail(isWrong ? t('models.how_many_wrong', { n: MOST }) : null);
    if (isWrong) return;
    yes.disabled = true;
    try {
      const job = await post(`/v1/models/${model.id}/images`, { count: n }, { once: `${once}-${n}` });
      close();
      go(`/jobs/${job.id}`);
    } catch (error) {
      fill(place, problemBox(error));
      yes.disabled = false;
    }
  });
}
