import { EXIT_STATUS } from '../../model/result.ts';
import type { BuildView, RequestView } from '../../master/operator.ts';
import { readArguments } from '../arguments.ts';
import { awayText, buildName, stepLine } from '../show/build.ts';
import { plain } from '../../base/plain.ts';
import { howLong } from '../show/time.ts';
import { EX_UNAVAILABLE, UsageError } from '../verb.ts';
import type { Verb, VerbContext } from '../verb.ts';

export const force: Verb = {
  name: 'force',
  usage: 'force PROJECT/BUILDER [--branch B] [--revision R] [-p NAME=VALUE]… [--reason TEXT] [--wait] [--json]',
  summary: 'asks for a build; --wait stays until its end and exits by its result',
  role: 'developer',
  async run(context) {
    const { operator, asker, args, write } = context;
    const { values, positionals } = readArguments(
      args,
      {
        branch: { type: 'string' },
        revision: { type: 'string' },
        property: { type: 'string', short: 'p', multiple: true, default: [] },
        reason: { type: 'string' },
        wait: { type: 'boolean' },
        json: { type: 'boolean' },
      },
      { min: 1, max: 1 },
    );
    const request = await operator.force(asker, readTarget(positionals[0] ?? ''), {
      properties: readProperties(values.property),
      ...(values.branch !== undefined && { branch: values.branch }),
      ...(values.revision !== undefined && { revision: values.revision }),
      ...(values.reason !== undefined && { reason: values.reason }),
    });
    const isJson = values.json ?? false;
    if (values.wait) return await wait(context, request, isJson);
    await write(
      isJson ? `${JSON.stringify(request)}\n` : `request ${request.id} is queued: ${plain(request.waitsFor)}\n`,
    );
    return 0;
  },
};

function readTarget(target: string): { readonly project: string; readonly builder: string } {
  const [project, builder, ...rest] = target.split('/');
  if (!project || !builder || rest.length > 0) throw new UsageError(`"${target}" is not PROJECT/BUILDER`);
  return { project, builder };
}

function readProperties(pairs: readonly string[]): Readonly<Record<string, string>> {
  const properties: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw new UsageError(`"${pair}" is not NAME=VALUE`);
    properties[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return properties;
}

/** Prints what changes until the request's build has ended; with `--json` only the build, at its end. */
async function wait(context: VerbContext, request: RequestView, isJson: boolean): Promise<number> {
  const say = async (line: string): Promise<void> => {
    if (!isJson) await context.write(`${line}\n`);
  };
  let last: BuildView | undefined;
  for await (const progress of context.operator.watch(context.asker, request.id, context.signal)) {
    if (progress.kind === 'queued') await say(`request ${progress.request.id} is queued`);
    else if (progress.kind === 'waits') await say(`request ${request.id}: ${plain(progress.reason)}`);
    else if (progress.kind === 'ended') last = undefined;
    else {
      for (const line of news(last, progress.build, context.clock.now())) await say(line);
      last = progress.build;
    }
  }
  if (!last?.result) {
    await say(`request ${request.id} was taken out of the queue`);
    return EX_UNAVAILABLE;
  }
  if (isJson) await context.write(`${JSON.stringify(last)}\n`);
  return EXIT_STATUS[last.result];
}

/** The lines that tell one view of a build from the view before, of it or of the build that it was retried for. */
function news(last: BuildView | undefined, now: BuildView, nowMs: number): string[] {
  const before = last?.id === now.id ? last : undefined;
  const name = `build ${now.id}  ${plain(buildName(now))}`;
  const lines = before ? [] : [`${name} runs on ${plain(now.worker)}`];
  if (!before && now.retryOf !== null) lines.unshift(`build ${now.retryOf} was retried as build ${now.id}`);
  now.steps.forEach((step, index) => {
    if (step.state !== 'pending' && step.state !== (before?.steps[index]?.state ?? 'pending'))
      lines.push(`  ${stepLine(step, nowMs)}`);
  });
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
