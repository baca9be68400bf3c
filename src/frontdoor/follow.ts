import { plain } from '../base/plain.ts';
import { EXIT_STATUS, worse } from '../model/result.ts';
import type { Result } from '../model/result.ts';
import type { BuildView } from '../master/views/build.ts';
import type { ForceProgress, RequestView } from '../master/views/request.ts';
import { awayText, buildName, stepLine } from './show/build.ts';
import { howLong } from './show/time.ts';
import { EX_UNAVAILABLE } from './verb.ts';
import type { VerbContext } from './verb.ts';

/** Prints what changes until the request's build has ended; with `isJson` only the build, at its end. Resolves to the exit status. */
export async function followOne(context: VerbContext, request: RequestView, isJson: boolean): Promise<number> {
  const { build, result } = await follow(context, request, isJson, '  ');
  if (isJson && build) await context.write(`${JSON.stringify(build)}\n`);
  return result === undefined ? EX_UNAVAILABLE : EXIT_STATUS[result];
}

/** The same for several at once, whose lines say which they are of; with `isJson` the list of the builds. Exits by the worst. */
export async function followAll(
  context: VerbContext,
  requests: readonly RequestView[],
  isJson: boolean,
): Promise<number> {
  const ends = await Promise.all(
    requests.map((request) =>
      follow(context, request, isJson, requests.length === 1 ? '  ' : `  ${request.project}/${request.builder}  `),
    ),
  );
  if (isJson) await context.write(`${JSON.stringify(ends.flatMap(({ build }) => build ?? []))}\n`);
  const results = ends.flatMap(({ result }) => result ?? []);
  let worst: Result = 'skipped';
  for (const result of results) worst = worse(worst, result);
  // One that was taken out of the queue spoils a success, and says less than what failed.
  return EXIT_STATUS[worst] === 0 && results.length < requests.length ? EX_UNAVAILABLE : EXIT_STATUS[worst];
}

/** The last build; none when the request ended in the queue, and no result when it was taken out of that. */
interface End {
  readonly build?: BuildView;
  readonly result?: Result;
}

async function follow(context: VerbContext, request: RequestView, isJson: boolean, indent: string): Promise<End> {
  const say = async (line: string): Promise<void> => {
    if (!isJson) await context.write(`${line}\n`);
  };
  let last: BuildView | undefined;
  let ended: Extract<ForceProgress, { readonly kind: 'ended' }> | undefined;
  for await (const progress of context.operator.watch(context.asker, request.id, context.signal)) {
    if (progress.kind === 'queued') await say(`request ${progress.request.id} is queued`);
    else if (progress.kind === 'waits') await say(`request ${request.id}: ${plain(progress.reason)}`);
    else if (progress.kind === 'ended') ended = progress;
    else {
      for (const line of news(last, progress.build, context.clock.now(), indent)) await say(line);
      last = progress.build;
    }
  }
  if (!ended && last?.result) return { build: last, result: last.result };
  const isTaken = !ended || ended.result === 'cancelled';
  const end = isTaken ? 'was taken out of the queue' : `ended as ${ended?.result ?? ''}`;
  await say(`request ${request.id} ${end}${ended?.reason ? `: ${plain(ended.reason)}` : ''}`);
  return isTaken || !ended ? {} : { result: ended.result };
}

/** The lines that tell one view of a build from the view before, of it or of the build that it was retried for. */
function news(last: BuildView | undefined, now: BuildView, nowMs: number, indent: string): string[] {
  const before = last?.id === now.id ? last : undefined;
  const name = `build ${now.id}  ${plain(buildName(now))}`;
  const lines = before ? [] : [`${name} runs on ${plain(now.worker)}`];
  if (!before && now.retryOf !== null) lines.unshift(`build ${now.retryOf} was retried as build ${now.id}`);
  for (const step of now.steps) {
    const was = before?.steps.find(({ name }) => name === step.name)?.state ?? 'pending';
    if (!step.isHidden && step.state !== 'pending' && step.state !== was)
      lines.push(`${plain(indent)}${stepLine(step, nowMs)}`);
  }
  if (now.workerAway && !before?.workerAway) {
    lines.push(`${name}: worker ${plain(now.worker)} is ${awayText(now.workerAway, nowMs)}`);
  } else if (before?.workerAway && now.state === 'running' && !now.workerAway) {
    lines.push(`${name}: worker ${plain(now.worker)} is back`);
  }
  if (now.result !== null) {
    const took = howLong((now.finishedAtMs ?? nowMs) - now.startedAtMs);
    lines.push(`${name}: ${now.result} after ${took}${now.summary ? ` (${plain(now.summary)})` : ''}`);
  }
  return lines;
}
