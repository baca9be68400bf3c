import { UserMistake } from '../../base/errors.ts';
import { runGit } from './git.ts';

/** The workers of the demo. */
export const DEMO_WORKERS = ['left', 'right'] as const;

/** The builders of the demo, all of project `trunkline`. */
export const DEMO_BUILDERS = ['compile', 'test', 'history'] as const;

/** The commit that the demo builds: what is checked out. Fails with what to do when there is no repository. */
export async function demoRevision(root: string): Promise<string> {
  try {
    return await runGit(root, ['rev-parse', 'HEAD']);
  } catch (error) {
    throw new UserMistake(
      `the demo builds this repository's own history, and ${root} is no git clone: clone it with git first`,
      {
        cause: error,
      },
    );
  }
}

/**
 * The demo's configuration: three builders over the repository at `root`. The packages that are installed there are lent to
 * the checkouts by a link, so that nothing is fetched.
 */
export function demoConfig(root: string): string {
  const text = JSON.stringify;
  return `import { builder, checkout, defineMaster, force, git, project, sh, step, worker } from 'trunkline';

const lendPackages = sh('lend packages', ['ln', '-sfn', ${text(`${root}/node_modules`)}, 'node_modules']);
const on = ${text(DEMO_WORKERS)};

export default defineMaster({
  title: 'Trunkline builds itself',
  workers: on.map((name) => worker(name, { maxBuilds: 2 })),
  projects: [
    project('trunkline', {
      source: git(${text(root)}),
      builders: [
        builder('compile', {
          workers: on,
          steps: [checkout(), lendPackages, sh('compile', 'node_modules/.bin/tsc -p tsconfig.json && ls dist/src')],
        }),
        builder('test', {
          workers: on,
          steps: [
            checkout(),
            lendPackages,
            sh('test', 'node_modules/.bin/vitest run --project unit test/unit/model test/unit/protocol/schema.test.ts'),
          ],
        }),
        builder('history', {
          workers: on,
          steps: [
            checkout(),
            step('walk the history', async (ctx) => {
              const { output } = await ctx.run('git log --format=%H -n 10', { capture: 10_000, log: 'commits' });
              const commits = output.trim().split('\\n');
              for (const commit of commits) await ctx.run(['git', 'show', '--stat', '--format=%h %s', commit], { log: commit.slice(0, 12) });
              await ctx.setProperty('commits', commits.length);
            }),
          ],
        }),
      ],
      schedulers: [force()],
    }),
  ],
});
`;
}
