/** A desktop of many modules, each with a repository of its own, built twice on whichever of four workers is free. */
import {
  artifact,
  builder,
  checkout,
  compile,
  defineMaster,
  fetchArtifact,
  force,
  git,
  int,
  masterLock,
  onChange,
  project,
  sh,
  step,
  tap,
  triggerable,
  worker,
} from 'trunkline';
import type { Result, StepContext } from 'trunkline';
import desktop from './modules.json' with { type: 'json' };

const { repositories, modules } = desktop;
const WORKERS = ['build-1', 'build-2', 'build-3', 'build-4'];
const MODES = ['debug', 'release'];

/** Tests of applications want a display, and there are two. */
const display = masterLock('display', { slots: 2 });

/** What it stands on, as the newest good builds left it. */
const needs = (dependsOn: readonly string[], mode: string) => [
  ...dependsOn.map((name) => {
    const from = `${name}/${mode}`;
    return fetchArtifact(`fetch ${name}`, 'sdk.tar.gz', `deps/${name}/sdk.tar.gz`, { from, hideIf: isGood });
  }),
  sh('unpack', 'for sdk in deps/*/sdk.tar.gz; do tar -xzf "$sdk" -C "${sdk%/*}" || exit 1; done', {
    doIf: dependsOn.length > 0,
    hideIf: isGood,
  }),
];
const isGood = (result: Result) => result === 'success' || result === 'skipped';

/** Builds every module, each as soon as all that it stands on has been built well. */
const world = step('world', async (ctx) => {
  const ends = new Map<string, Promise<boolean>>();
  const branches = modules.map(({ name, dependsOn }) => [
    name,
    (branch: StepContext) => {
      // Whatever it stands on comes before it, and so has begun.
      const end = buildOne(
        branch,
        name,
        dependsOn.map((other) => ends.get(other) ?? Promise.resolve(false)),
      );
      ends.set(name, end);
      return end;
    },
  ]);
  const built = Object.entries(await ctx.parallel<Record<string, boolean>>(Object.fromEntries(branches)));
  const bad = built.filter(([, isGood]) => !isGood).map(([name]) => name);
  if (bad.length > 0) return { result: 'failure', summary: `${bad.length} of ${built.length}: ${bad.join(', ')}` };
  return { result: 'success', summary: `all ${built.length} modules` };
});

async function buildOne(ctx: StepContext, name: string, below: readonly Promise<boolean>[]): Promise<boolean> {
  if ((await Promise.all(below)).includes(false)) return false;
  const seconds = ctx.property('seconds') ?? 5;
  return (await ctx.trigger(`${name}/world`, { wait: true, properties: { seconds } })).ok;
}

export default defineMaster({
  title: 'The desktop',
  keep: { logs: { for: '90d' }, artifacts: { last: 5 }, builds: { last: 100 } },
  workers: WORKERS.map((name) => worker(name, { maxBuilds: 2 })),
  projects: [
    project('desktop', {
      builders: [builder('world', { workers: WORKERS, steps: [world] })],
      schedulers: [
        force({ parameters: { seconds: int({ label: 'so long a slow test takes', min: 0, max: 600, default: 5 }) } }),
      ],
    }),
    ...modules.map(({ name, role, dependsOn }) =>
      project(name, {
        source: git(`${repositories}/${name}.git`, { branch: 'main', poll: '1h' }),
        dependsOn,
        builders: MODES.map((mode) =>
          builder(mode, {
            workers: WORKERS,
            // What is flaky has a second chance.
            retry: { failure: 1 },
            steps: [
              checkout(),
              ...needs(dependsOn, mode),
              sh('configure', `./configure --mode=${mode}`),
              compile('make', 'make'),
              sh('check', (ctx) => `make check SECONDS=${Number(ctx.property('seconds') ?? 5)}`, {
                haltOnFailure: false,
                ...(role === 'app' && { locks: [display.counting()] }),
              }),
              tap('tests', { file: '*.tap' }),
              sh('install', 'make install DESTDIR=sdk && tar -czf sdk.tar.gz -C sdk .'),
              artifact('keep', 'sdk.tar.gz'),
            ],
          }),
        ),
        schedulers: [onChange({ branch: 'main' }), triggerable('world'), force()],
      }),
    ),
  ],
});
