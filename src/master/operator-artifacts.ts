import { createReadStream } from 'node:fs';
import type { Store } from '../store/store.ts';
import type { ArtifactFolder } from './artifacts/artifact-folder.ts';
import { OperatorError } from './operator.ts';
import { findBuild, shown } from './operator-names.ts';
import type { ArtifactView } from './views/artifact.ts';

interface ArtifactSources {
  readonly store: Store;
  readonly artifacts: Pick<ArtifactFolder, 'path'>;
}

const PIECE_BYTES = 64 * 1024;

export async function artifactsOfBuild(
  { store }: Pick<ArtifactSources, 'store'>,
  build: string,
): Promise<readonly ArtifactView[]> {
  const { id } = await findBuild(store, build);
  const [list, steps] = await Promise.all([store.artifacts.list(id), store.builds.steps(id)]);
  return list.map(({ name, size, sha256, step, keptAtMs }) => ({
    name,
    size,
    sha256,
    step: steps.find(({ index }) => index === step)?.name ?? String(step),
    keptAtMs,
  }));
}

/** Its bytes, as fast as the caller takes them. */
export async function* readArtifact(
  { store, artifacts }: ArtifactSources,
  build: string,
  name: string,
): AsyncGenerator<Uint8Array> {
  const { id } = await findBuild(store, build);
  const artifact = await store.artifacts.find(id, name);
  if (!artifact) {
    throw new OperatorError(
      'not-found',
      `build ${shown(build)} has no artifact "${shown(name)}"; "artifacts" lists them`,
    );
  }
  for await (const piece of createReadStream(artifacts.path(artifact.sha256), { highWaterMark: PIECE_BYTES })) {
    yield piece as Buffer;
  }
}
