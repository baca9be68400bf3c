import { fileURLToPath } from 'node:url';
import { systemClock } from '../../base/clock.ts';
import { Disposer } from '../../base/disposer.ts';
import { UserMistake } from '../../base/errors.ts';
import { buildName, outcomeOf, stepLine } from '../../frontdoor/show/build.ts';
import { LogText } from '../../frontdoor/show/log-text.ts';
import { howLong } from '../../frontdoor/show/time.ts';
import { EXIT_STATUS, worse } from '../../model/result.ts';
import type { Result } from '../../model/result.ts';
import type { Asker } from '../../master/operator.ts';
import type { BuildView } from '../../master/views/build.ts';
import { untilSignal } from '../until-signal.ts';
import { DEMO_BUILDERS, demoRevision } from './demo-config.ts';
import { DEMO_PERSON, startDemoFarm } from './demo-farm.ts';
import type { DemoFarm } from './demo-farm.ts';

const ROOT = fileURLToPath(new URL('../../../..', import.meta.url)).replace(/\/$/, '');
const PROGRAM = `${ROOT}/bin/trunkline.js`;
const ASKER: Asker = { name: DEMO_PERSON, role: 'operator' };

/** Builds this repository on a farm of its own, tells what happens, and exits by the worst result. */
export async function runDemo(options: { readonly serve: boolean }): Promise<void> {
  const undo = new Disposer();
  const revision = await demoRevision(ROOT);
  const work = (async () => {
    const farm = await startDemoFarm(ROOT, PROGRAM, undo);
    say(
      `a master listens on 127.0.0.1:${farm.master.port}; two workers connect to it; they build ${revision.slice(0, 12)} of this repository\n`,
    );
    const builds = await Promise.all(DEMO_BUILDERS.map((builder) => buildOne(farm, builder, revision)));
    summarize(builds);
    await tellHowToLook(farm, builds, options.serve);
    if (options.serve) await farm.master.closed;
  })();
  await untilSignal(work, () => undo.dispose());
  // A demo that was interrupted ends here too: its farm is gone, so the work ended with an error, or never will.
  if (process.exitCode === undefined) process.exitCode = 1;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function buildOne(farm: DemoFarm, builder: string, revision: string): Promise<BuildView> {
  const { operator } = farm.master;
  const request = await operator.force(
    ASKER,
    { project: 'trunkline', builder },
    { revision, properties: {}, reason: 'the demo' },
  );
  let last: BuildView | undefined;
  for await (const progress of operator.watch(ASKER, request.id, AbortSignal.timeout(600_000))) {
    if (progress.kind !== 'build') continue;
    for (const step of progress.build.steps) {
      const was = last?.steps.find(({ name }) => name === step.name)?.state;
      if (step.state === 'finished' && was !== 'finished') {
        say(`${buildName(progress.build)} on ${progress.build.worker}: ${stepLine(step, systemClock.now())}`);
      }
    }
    last = progress.build;
  }
  if (!last) throw new UserMistake(`the build of ${builder} never began: its request ended`);
  return last;
}

function summarize(builds: readonly BuildView[]): void {
  let worst: Result = 'success';
  say('\nsummary');
  for (const build of builds) {
    worst = worse(worst, build.result ?? 'exception');
    const bytes = build.steps.flatMap((step) => step.logs).reduce((sum, log) => sum + log.length, 0);
    const took = howLong((build.finishedAtMs ?? build.startedAtMs) - build.startedAtMs);
    say(
      `  ${outcomeOf(build).padEnd(9)} ${buildName(build)} in ${took} on ${build.worker}: ${build.steps.length} steps, ${bytes} bytes of logs`,
    );
  }
  process.exitCode = EXIT_STATUS[worst];
}

async function tellHowToLook(farm: DemoFarm, builds: readonly BuildView[], serve: boolean): Promise<void> {
  const failed = builds.find((build) => build.result !== 'success') ?? builds[0];
  const step = failed?.steps.find((one) => one.result === 'failure') ?? failed?.steps.at(-1);
  if (failed && failed.result !== 'success' && step) {
    say(`\nthe log of "${step.name}" in ${buildName(failed)}:\n`);
    const text = new LogText();
    for await (const piece of farm.master.operator.log(ASKER, String(failed.id), step.name, {
      from: 0,
      follow: false,
    })) {
      process.stdout.write(text.add(piece));
    }
    process.stdout.write(text.end());
  }
  if (!serve) {
    say('\nnpm run demo -- --serve stays up, to look around with stock ssh');
    return;
  }
  const known = `-o UserKnownHostsFile=${farm.dir}/known_hosts -o StrictHostKeyChecking=accept-new`;
  const ssh = `ssh -p ${farm.master.port} -i ${farm.keyFile} ${known} ${DEMO_PERSON}@127.0.0.1`;
  say(`\nlook further with stock ssh (^C ends the demo):`);
  for (const verb of [
    'help',
    'status',
    'builds',
    `build ${failed?.id ?? 1}`,
    `log ${failed?.id ?? 1} checkout`,
    'force trunkline/test --wait',
  ]) {
    say(`  ${ssh} ${verb}`);
  }
}
