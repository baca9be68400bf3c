import type { Cycle, QueueState } from '../queue-state.ts';
import { buildName, lockName } from './lock-reason.ts';
import type { LockWaiter } from './lock-waiter.ts';

/** That a node waits for another, for a lock of its or as its parent. A node is `build ID`, or `request ID` without a build. */
interface Edge {
  readonly to: string;
  readonly lock?: string;
}

type Graph = ReadonlyMap<string, readonly Edge[]>;

/** The circles of those that stand still, each with the waiter that closed it: whoever waits for the least time. */
export function findCycles(state: QueueState, standing: readonly LockWaiter[]): readonly Cycle[] {
  if (standing.length === 0) return [];
  const graph = graphOf(state, standing);
  const told = new Set<string>();
  const cycles: Cycle[] = [];
  for (const { owner, project } of standing.toSorted(newestFirst)) {
    const start = nodeOf(owner);
    const circle = circleThrough(graph, start);
    if (circle.length === 0 || circle.some(({ to }) => told.has(to))) continue;
    for (const { to } of circle) told.add(to);
    cycles.push({ owner, text: sentence(state, start, circle, project) });
  }
  return cycles;
}

function newestFirst(a: LockWaiter, b: LockWaiter): number {
  return b.sinceMs - a.sinceMs || (nodeOf(a.owner) < nodeOf(b.owner) ? 1 : -1);
}

function nodeOf(owner: Cycle['owner']): string {
  return 'buildId' in owner ? `build ${owner.buildId}` : `request ${owner.requestId}`;
}

function graphOf(state: QueueState, standing: readonly LockWaiter[]): Graph {
  const graph = new Map<string, Edge[]>();
  const add = (from: string, edge: Edge): void => {
    const edges = graph.get(from);
    if (edges) edges.push(edge);
    else graph.set(from, [edge]);
  };
  const builds = new Set(standing.flatMap(({ line }) => line));
  for (const build of builds) {
    const parent = state.builds.get(build)?.parent;
    if (parent !== undefined) add(`build ${parent}`, { to: `build ${build}` });
  }
  for (const { owner, line, blocked } of standing) {
    const [, ...ancestors] = line;
    const from = nodeOf(owner);
    if ('requestId' in owner) add(`build ${ancestors[0]}`, { to: from });
    for (const { ask } of blocked) {
      for (const { key, owner: holder } of ask.of.claims) {
        if (!builds.has(holder.buildId) || ancestors.includes(holder.buildId)) continue;
        add(from, { to: `build ${holder.buildId}`, lock: lockName(key) });
      }
    }
  }
  return graph;
}

/** The shortest way from a node back to it; empty when there is none. */
function circleThrough(graph: Graph, start: string): readonly Edge[] {
  const seen = new Set<string>();
  const paths: (readonly Edge[])[] = [[{ to: start }]];
  // The list grows while it is walked.
  for (const path of paths) {
    const at = path.at(-1)?.to ?? start;
    for (const edge of graph.get(at) ?? []) {
      if (edge.to === start) return [...path.slice(1), edge];
      if (seen.has(edge.to)) continue;
      seen.add(edge.to);
      paths.push([...path, edge]);
    }
  }
  return [];
}

/** `it would wait for itself: kate/debian#12 waits for lock gpu, held by kate/fedora#7, which waits for lock vpn, held by kate/debian#12` */
function sentence(state: QueueState, start: string, circle: readonly Edge[], project: string): string {
  const name = (node: string): string =>
    node.startsWith('build ') ? buildName(Number(node.slice('build '.length)), state, project) : node;
  const waits = circle.map(({ to, lock }) =>
    lock === undefined ? `waits for its child, ${name(to)}` : `waits for ${lock}, held by ${name(to)}`,
  );
  return `it would wait for itself: ${name(start)} ${waits.join(', which ')}`;
}
