import { builder, checkout, defineMaster, force, git, project, sh, step, worker } from 'trunkline';

/** Where the repositories are; any URL or path that git understands. */
const FORGE = 'https://git.example.org';

/** One builder for each machine a project is built on. */
const MACHINES = ['debian', 'fedora'];

/** Says which tests failed, instead of `exit 1`. */
const check = step('check', async (ctx) => {
  const made = await ctx.run('make check', { timeout: '10m', maxTime: '1h' });
  if (made.ok) return 'success';
  const failed = await ctx.run("sed -n 's/^FAIL: //p' tests/*.log", { log: 'failed-tests', capture: 2_000 });
  return { result: 'failure', summary: failed.output.trim().split('\n').join(', ') || made.summary };
});

export default defineMaster({
  title: 'Three repositories',
  workers: [
    worker('debian', { maxBuilds: 2, host: 'vm1', owner: 'mailto:farm@example.org' }),
    worker('fedora', { host: 'vm1' }),
  ],
  projects: ['editor', 'viewer', 'player'].map((name) =>
    project(name, {
      source: git(`${FORGE}/${name}.git`, { branch: 'main' }),
      builders: MACHINES.map((machine) =>
        builder(machine, {
          workers: [machine],
          env: { MAKEFLAGS: '-j4' },
          steps: [
            checkout(),
            sh('configure', './configure'),
            sh('make', 'make', { timeout: '5m' }),
            check,
            sh('clean', 'make distclean', { alwaysRun: true, haltOnFailure: false, flunkOnFailure: false }),
          ],
        }),
      ),
      schedulers: [force()],
    }),
  ),
});
