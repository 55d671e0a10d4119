/** Light or dark: as the system has it, or as was chosen. */

const KEPT = 'graft.theme';
export const THEMES = ['system', 'light', 'dark'];

/** Return what was chosen. */
export const theme = () => localStorage.getItem(KEPT) ?? 'system';

/** Choose. */
export function setTheme(name) {
  if (name === 'system') localStorage.removeItem(KEPT);
  else localStorage.setItem(KEPT, name);
  apply();
}

/** Show what was chosen. */
export function apply() {
  const chosen = theme();
  if (chosen === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}
