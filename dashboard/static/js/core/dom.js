/**
 * Making elements. Text always becomes a text node: nothing that the service says is ever parsed as
 * HTML, and the page's policy (Trusted Types) would refuse it.
 */

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Return an element.
 *
 * @param {string} tag Its name.
 * @param {object} [props] Attributes; besides: `class` (string, or a list of which falsy ones are
 *   left out), `on` (event → listener), `style` (CSS property → value; custom properties, too),
 *   `data` (dataset), `props` (properties such as `value` or `checked`). An attribute that is
 *   null, undefined or false is left out; true stands for an empty one.
 * @param {...any} children Nodes, strings, numbers, lists of these; null and false are left out.
 */
export function h(tag, props, ...children) {
  return build(document.createElement(tag), props, children);
}

/** Return an SVG element; as `h`. */
export function s(tag, props, ...children) {
  return build(document.createElementNS(SVG, tag), props, children);
}

function build(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'class') element.setAttribute('class', [value].flat().filter(Boolean).join(' '));
    else if (name === 'on')
      for (const [type, listener] of Object.entries(value)) element.addEventListener(type, listener);
    else if (name === 'style')
      // Through the object model: the page's policy refuses style attributes.
      for (const [property, v] of Object.entries(value)) element.style.setProperty(property, v);
    else if (name === 'data') Object.assign(element.dataset, value);
    else if (name === 'props') Object.assign(element, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  append(element, children);
  return element;
}

/** Append nodes, strings, numbers and lists of these. */
export function append(element, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** Have an element hold these children alone. */
export function fill(element, ...children) {
  element.replaceChildren();
  return append(element, ...children);
}

let counted = 0;

/** Return an id that no other element of the page has. */
export function uid(prefix = 'id') {
  counted += 1;
  return `${prefix}-${counted}`;
}
