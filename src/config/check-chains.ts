import { nameOf, upstreamOf } from './check-schedulers.ts';
import type { CheckedProject } from './config-schema.ts';
import type { CheckedScheduler } from './scheduler-schema.ts';

interface Link {
  /** `PROJECT/NAME`. */
  readonly of: string;
  readonly kind: CheckedScheduler['kind'];
  readonly upstream?: string;
}

/** What is wrong with the schedulers that follow others: one that is not there, one of tries, a chain that comes back to itself. */
export function chainMistakes(projects: readonly CheckedProject[]): readonly string[] {
  const links = new Map(projects.flatMap(linksOf).map((link) => [link.of, link]));
  const mistakes: string[] = [];
  const told = new Set<string>();
  for (const { of, upstream } of links.values()) {
    if (upstream === undefined) continue;
    const place = placeOf(of);
    const followed = links.get(upstream);
    if (!followed) mistakes.push(`${place}: there is no scheduler "${upstream}" to follow; correct the name`);
    else if (followed.kind === 'try') {
      mistakes.push(`${place}: ${upstream} builds patches that are only tried: nothing can follow it`);
    }
    const circle = circleFrom(of, links);
    if (circle.length === 0 || told.has(of)) continue;
    for (const one of circle) told.add(one);
    mistakes.push(`${place}: it follows itself: ${[...circle, of].join(' after ')}`);
  }
  return mistakes;
}

function linksOf({ name, schedulers = [] }: CheckedProject): readonly Link[] {
  return schedulers.map((scheduler) => {
    const link = { of: `${name}/${nameOf(scheduler)}`, kind: scheduler.kind };
    if (scheduler.kind !== 'after') return link;
    const upstream = upstreamOf(scheduler.upstream, name);
    return { ...link, upstream: `${upstream.project}/${upstream.scheduler}` };
  });
}

/** The chain from a scheduler back to it; empty when it ends elsewhere. */
function circleFrom(of: string, links: ReadonlyMap<string, Link>): readonly string[] {
  const chain: string[] = [];
  for (let at: string | undefined = of; at !== undefined; at = links.get(at)?.upstream) {
    if (chain.includes(at)) return at === of ? chain : [];
    chain.push(at);
  }
  return [];
}

function placeOf(of: string): string {
  const [project, name] = of.split('/');
  return `project "${project}", scheduler "${name}"`;
}
