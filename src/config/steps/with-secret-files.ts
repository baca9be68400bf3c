import type { SecretRef } from '../../model/secret.ts';
import type { StepContext } from '../step-context.ts';
import type { StepConfig } from '../values.ts';

/**
 * A step that has files with secrets while it runs: `{ 'conf/key': secret('key') }`, by their paths on the worker, mode 600. If it is
 * stopped they are removed with the end of the build.
 */
export function withSecretFiles(files: Readonly<Record<string, SecretRef>>, step: StepConfig): StepConfig {
  const { made, run } = step;
  return {
    ...step,
    ...(made && { made: { ...made, secretFiles: files } }),
    run: async (ctx) => {
      const there: string[] = [];
      try {
        for (const [path, { name }] of Object.entries(files)) {
          there.push(path);
          await ctx.download({ secret: name }, path);
        }
        return await run(ctx);
      } finally {
        await removeAll(ctx, there);
      }
    },
  };
}

async function removeAll(ctx: StepContext, paths: readonly string[]): Promise<void> {
  for (const path of paths) await ctx.remove(path);
}
