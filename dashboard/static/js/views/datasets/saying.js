/** Short sentences about data sets. */

import { number, t } from '../../core/i18n.js';
import { balance, ofClass } from './counts.js';

/** `benign 800, malignant 120`; nothing before it has been read. */
export const classesSaid = (classes) =>
  classes === null
    ? ''
    : Object.entries(classes)
        .map(([name, splits]) => `${name} ${number(ofClass(splits))}`)
        .join(', ');

/** From so many times as many on a classifier gets far with the common class alone. */
const STRONG = 3;

/** How uneven the classes are, and what that means. */
export function imbalanceSaid(classes) {
  const { rare, common, ratio } = balance(classes);
  if (rare === null) return t('datasets.balanced');
  if (ratio < 1.5) return t('datasets.nearly_balanced', { rare, common });
  const said = t('datasets.imbalanced', { rare, common, ratio: number(ratio, ratio < 10 ? 1 : 0) });
  return ratio < STRONG ? said : `${said} ${t('datasets.imbalanced_means', { common })}`;
}
