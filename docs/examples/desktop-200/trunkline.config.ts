/** A desktop of many modules, each with a repository of its own, built twice on whichever of four workers is free. */
import {
  builder,
  checkout,
  defineMaster,
  force,
  git,
  int,
  masterLock,
  onChange,
  project,
  sh,
  step,
  triggerable,
  worker,
} from 'trunkline';
import type { StepContext } from 'trunkline';
import desktop from './modules.json' with { type: 'json' };

const { repositories, modules } = desktop;
const WORKERS = ['build-1', 'build-2', 'build-3', 'build-4'];
const MODES = ['debug', 'release'];

/** Tests of applications want a display, and there are two. */
const display = masterLock('display', { slots: 2 });

/** What it stands on, as the newest good builds left it. */
const needs = (dependsOn: readonly string[], mode: string) =>
  step('needs', async (ctx) => {
    for (const name of dependsOn) {
      await ctx.mkdir(`deps/${name}`);
      await ctx.download(`sdk/${name}-${mode}.tar.gz`, `deps/${name}.tar.gz`);
      const unpacked = await ctx.run(['tar', '-xzf', `deps/${name}.tar.gz`, '-C', `deps/${name}`]);
      if (!unpacked.ok) ctx.fail(unpacked.summary);
    }
  });

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
              needs(dependsOn, mode),
              sh('configure', `./configure --mode=${mode}`),
              sh('make', 'make'),
              step(
                'check',
                async (ctx) => {
                  const { ok, summary } = await ctx.run(`make check SECONDS=${Number(ctx.property('seconds') ?? 5)}`);
                  if (!ok) ctx.fail(summary);
                },
                role === 'app' ? { locks: [display.counting()] } : {},
              ),
              sh('install', 'make install DESTDIR=sdk && tar -czf sdk.tar.gz -C sdk .'),
              step('keep', async (ctx) => {
                await ctx.upload('sdk.tar.gz', `sdk/${name}-${mode}.tar.gz`);
              }),
            ],
          }),
        ),
        schedulers: [onChange({ branch: 'main' }), triggerable('world'), force()],
      }),
    ),
  ],
});
