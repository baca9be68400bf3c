import { errorText } from '../../base/errors.ts';
import type { ConfigShape } from '../../config/shape.ts';
import type { Build } from '../../model/build.ts';
import type { CommandRecord } from '../../model/command.ts';
import { secretsIn } from '../../model/secret.ts';
import { BuildSecrets } from '../secrets/build-secrets.ts';
import type { BuildTools } from './build-tools.ts';

/** The secrets of a build that begins, or goes on: what its records say that it was given it has still. */
export async function openBuildSecrets(
  tools: Pick<BuildTools, 'secretBook' | 'logger'>,
  build: Build,
  config: ConfigShape | undefined,
  records: readonly CommandRecord[],
): Promise<BuildSecrets> {
  const secrets = new BuildSecrets({
    book: tools.secretBook,
    secrets: config?.secrets,
    reader: { project: build.project, isUntrusted: build.source.untrustedOf !== undefined },
    given: records.flatMap(({ call }) => secretsIn(call)),
  });
  try {
    await secrets.recall();
  } catch (error) {
    // No command begins that might show it; what runs is masked by its worker.
    tools.logger.warn('a secret that a build was given cannot be read any more', {
      build: build.id,
      error: errorText(error),
    });
  }
  return secrets;
}
