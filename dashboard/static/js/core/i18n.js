/** Words in the reader's language, and numbers, times and sizes as they are written there. */

import { signal } from './signal.js';

export const LANGUAGES = { en: 'English', ko: '한국어' };
const KEPT = 'graft.language';

/** The language that is shown. */
export const language = signal(chosen());

const words = new Map(); // `${language}/${name}` → messages
const loaded = new Set();

function chosen() {
  const kept = localStorage.getItem(KEPT);
  if (kept in LANGUAGES) return kept;
  const wanted = navigator.languages.map((tag) => tag.slice(0, 2));
  return wanted.find((tag) => tag in LANGUAGES) ?? 'en';
}

/** Show another language from now on. */
export async function setLanguage(tag) {
  localStorage.setItem(KEPT, tag);
  await Promise.all([...loaded].map((name) => load(tag, name)));
  document.documentElement.lang = tag;
  language.value = tag;
}

/**
 * Load the words of some parts of the page, before they are shown.
 *
 * @param {...string} names Of files in `i18n/LANGUAGE/`, without their ending.
 */
export async function loadWords(...names) {
  await Promise.all(names.map((name) => (loaded.add(name), load(language.value, name))));
}

async function load(tag, name) {
  const key = `${tag}/${name}`;
  if (words.has(key)) return;
  const answer = await fetch(new URL(`../../i18n/${key}.json`, import.meta.url));
  words.set(key, await answer.json());
}

/**
 * Return a message.
 *
 * @param {string} key `jobs.cancel`: the word `cancel` of the file `jobs`. A message that is an
 *   object has a text for each plural form of `n` (`one`, `other`).
 * @param {object} [values] What stands for `{name}` in it; numbers are written as in the language.
 * @returns {string} The key itself where there is no such message, so that it is noticed.
 */
export function t(key, values = {}) {
  const found = lookUp(key);
  if (found === undefined) return key;
  let text = found;
  if (typeof found === 'object') {
    const form = new Intl.PluralRules(language.value).select(values.n ?? 0);
    text = found[form] ?? found.other;
  }
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === 'number' ? number(value) : value;
  });
}

/** Return a message, or what is given where there is none. */
export function tOr(key, otherwise, values) {
  return lookUp(key) === undefined ? otherwise : t(key, values);
}

function lookUp(key) {
  const dot = key.indexOf('.');
  return words.get(`${language.value}/${key.slice(0, dot)}`)?.[key.slice(dot + 1)];
}

const formats = new Map();
function format(kind, options) {
  const key = `${language.value} ${kind.name} ${JSON.stringify(options)}`;
  if (!formats.has(key)) formats.set(key, new kind(language.value, options));
  return formats.get(key);
}

/** 12,345 or 0.5. */
export const number = (value, digits = 3) =>
  format(Intl.NumberFormat, { maximumFractionDigits: digits }).format(value);

/** A figure with so many digits after the point: 0.870. */
export const fixed = (value, digits = 3) =>
  value === null || value === undefined
    ? '–'
    : format(Intl.NumberFormat, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);

/** 42%. */
export const percent = (share, digits = 0) =>
  format(Intl.NumberFormat, { style: 'percent', maximumFractionDigits: digits }).format(share);

/** 1.2 MB. */
export function bytes(count) {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return format(Intl.NumberFormat, {
    style: 'unit',
    unit: units[unit],
    unitDisplay: unit === 0 ? 'long' : 'short',
    maximumFractionDigits: value < 10 && unit > 0 ? 1 : 0,
  }).format(value);
}

/** 3 min 20 s; seconds are left out beyond an hour. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  const whole = Math.max(0, Math.round(seconds));
  const parts = [
    [Math.floor(whole / 86400), 'day'],
    [Math.floor((whole % 86400) / 3600), 'hour'],
    [Math.floor((whole % 3600) / 60), 'minute'],
    [whole % 60, 'second'],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first === -1) return unit(0, 'second');
  return parts
    .slice(first, first + 2)
    .filter(([n], i) => n > 0 || i === 0)
    .map(([n, name]) => unit(n, name))
    .join(' ');
}

const unit = (n, name) =>
  format(Intl.NumberFormat, { style: 'unit', unit: name, unitDisplay: 'short' }).format(n);

/** 28 Nov 2026, 14:05. */
export const date = (iso) =>
  iso ? format(Intl.DateTimeFormat, { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(iso)) : '–';

/** 3 minutes ago. */
export function ago(iso) {
  if (!iso) return '–';
  const seconds = (new Date(iso) - Date.now()) / 1000;
  const steps = [
    [60, 'second', 1],
    [3600, 'minute', 60],
    [86400, 'hour', 3600],
    [30 * 86400, 'day', 86400],
    [365 * 86400, 'month', 30 * 86400],
    [Infinity, 'year', 365 * 86400],
  ];
  const [, name, size] = steps.find(([limit]) => Math.abs(seconds) < limit);
  return format(Intl.RelativeTimeFormat, { numeric: 'auto' }).format(Math.round(seconds / size), name);
}
