/**
 * Where the steps of a job stand in its picture. Pure: no element, no word.
 *
 * Every step stands in the column of its depth, the longest way to it from a step that needs no
 * other (Sugiyama et al. 1981, "Methods for visual understanding of hierarchical system
 * structures": layers, then an order within each by the mean place of what it is joined to). Steps
 * that do the same work at the same depth are one lane where there are many.
 */

const FEW_STEPS = 18;
const FEW_ALIKE = 2;
const SWEEPS = 6;

/**
 * Return what is drawn.
 *
 * @param {Array<{name: string, needs?: string[]}>} steps In the plan's order.
 * @returns {{nodes: Array<{id: string, work: string, names: string[], depth: number}>,
 *   edges: Array<[string, string]>, depth: number}} A node of several names is a lane; edges that
 *   follow from others are left out.
 */
export function graphOf(steps) {
  const depths = depthsOf(steps);
  const lanes = new Map();
  for (const step of steps) {
    const work = step.name.split(':')[0];
    const lane = `${work} ${depths.get(step.name)}`;
    if (!lanes.has(lane)) lanes.set(lane, []);
    lanes.get(lane).push(step.name);
  }
  const nodes = [];
  const home = new Map(); // step → node
  for (const names of lanes.values()) {
    const isLane = steps.length > FEW_STEPS && names.length > FEW_ALIKE;
    for (const group of isLane ? [names] : names.map((name) => [name])) {
      const node = { id: group[0], work: group[0].split(':')[0], names: group, depth: depths.get(group[0]) };
      nodes.push(node);
      for (const name of group) home.set(name, node);
    }
  }
  const next = new Map(nodes.map((node) => [node.id, new Set()]));
  for (const step of steps)
    for (const needed of step.needs ?? []) if (home.has(needed)) next.get(home.get(needed).id).add(home.get(step.name).id);
  return { nodes, edges: reduced(next), depth: Math.max(0, ...nodes.map((node) => node.depth + 1)) };
}

function depthsOf(steps) {
  const byName = new Map(steps.map((step) => [step.name, step]));
  const depths = new Map();
  const depthOf = (name) => {
    if (!depths.has(name)) {
      depths.set(name, 0); // of a graph that is none: it ends all the same
      const needs = (byName.get(name).needs ?? []).filter((needed) => byName.has(needed));
      depths.set(name, Math.max(-1, ...needs.map(depthOf)) + 1);
    }
    return depths.get(name);
  };
  for (const name of byName.keys()) depthOf(name);
  return depths;
}

/** Edges without those that a longer way says, too. */
function reduced(next) {
  const reached = new Map();
  const reach = (id) => {
    if (!reached.has(id)) {
      const all = new Set();
      reached.set(id, all);
      for (const one of next.get(id)) for (const far of [one, ...reach(one)]) all.add(far);
    }
    return reached.get(id);
  };
  const edges = [];
  for (const [from, direct] of next)
    for (const to of direct) if (![...direct].some((other) => other !== to && reach(other).has(to))) edges.push([from, to]);
  return edges;
}

/**
 * Say where everything stands.
 *
 * @param {object} graph Of `graphOf`.
 * @param {{width: number, heightOf: function(object): number, columnGap: number, rowGap: number}} sizes
 *   `width` of a node; all in pixels.
 * @returns {{places: Map<string, {x: number, y: number, height: number}>, paths: Array<{from: string,
 *   to: string, d: string}>, width: number, height: number}} `d` is an SVG path.
 */
export function place(graph, { width, heightOf, columnGap, rowGap }) {
  const columns = Array.from({ length: graph.depth }, () => []);
  const items = new Map();
  const add = (item) => (items.set(item.id, item), columns[item.depth].push(item), item);
  for (const node of graph.nodes) add({ id: node.id, depth: node.depth, height: heightOf(node), before: [], after: [] });
  const ways = graph.edges.map(([from, to]) => {
    const way = [items.get(from)];
    // An edge over several columns is given a place in each, so that it runs between the nodes.
    for (let depth = way[0].depth + 1; depth < items.get(to).depth; depth += 1)
      way.push(add({ id: `${from} ${to} ${depth}`, depth, height: 6, before: [], after: [], isBend: true }));
    way.push(items.get(to));
    for (let i = 1; i < way.length; i += 1) {
      way[i - 1].after.push(way[i]);
      way[i].before.push(way[i - 1]);
    }
    return { from, to, way };
  });
  order(columns);
  const heights = columns.map((column) => column.reduce((sum, item) => sum + item.height + rowGap, -rowGap));
  const height = Math.max(0, ...heights);
  columns.forEach((column, i) => {
    let y = (height - heights[i]) / 2;
    for (const item of column) {
      item.x = i * (width + columnGap);
      item.y = y;
      y += item.height + rowGap;
    }
  });
  return {
    places: new Map(graph.nodes.map(({ id }) => [id, items.get(id)])),
    paths: ways.map(({ from, to, way }) => ({ from, to, d: pathOf(way, width) })),
    width: Math.max(0, graph.depth * (width + columnGap) - columnGap),
    height,
  };
}

function order(columns) {
  const renumber = (column) => column.forEach((item, i) => (item.at = (i + 0.5) / column.length));
  columns.forEach(renumber);
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    const isDown = sweep % 2 === 0;
    for (const column of isDown ? columns : [...columns].reverse()) {
      for (const item of column) {
        const joined = isDown ? item.before : item.after;
        item.wanted = joined.length ? joined.reduce((sum, one) => sum + one.at, 0) / joined.length : item.at;
      }
      column.sort((a, b) => a.wanted - b.wanted);
      renumber(column);
    }
  }
}

function pathOf(way, width) {
  const middle = (item) => item.y + item.height / 2;
  let d = `M${way[0].x + width} ${middle(way[0])}`;
  for (let i = 1; i < way.length; i += 1) {
    const [from, to] = [way[i - 1], way[i]];
    const half = (from.x + width + to.x) / 2;
    d += `C${half} ${middle(from)} ${half} ${middle(to)} ${to.x} ${middle(to)}`;
    if (to.isBend) d += `H${to.x + width}`;
  }
  return d;
}
