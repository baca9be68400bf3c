import type { FindArtifactArgs, FoundArtifact, KeepArgs } from '../../../config/calls.ts';
import type { StepAnswer } from '../../../config/code-host.ts';
import { ARTIFACT_NAME_RULE, isArtifactName } from '../../../model/artifact.ts';
import type { Artifact } from '../../../model/artifact.ts';
import type { Build } from '../../../model/build.ts';
import { ARTIFACTS_MOST } from '../../artifacts/artifact-limits.ts';
import type { Redactor } from '../../secrets/build-secrets.ts';
import type { BuildTools } from '../build-tools.ts';
import type { Performed } from '../journal.ts';

interface KeepContext {
  readonly build: Build;
  readonly step: { readonly index: number };
  readonly secrets: Pick<Redactor, 'text'>;
}

/** The worker's file is here, whole, at `file`: it becomes an artifact of the build, whose row is committed with the answer. */
export async function keepArtifact(
  { store, folders, clock }: Pick<BuildTools, 'store' | 'folders' | 'clock'>,
  { build, step, secrets }: KeepContext,
  args: KeepArgs,
  file: string,
): Promise<Performed> {
  // It is shown to people, and asked for by a call that is redacted, too.
  const name = secrets.text(args.name);
  if (!isArtifactName(name)) return refused(name, `its name is not ${ARTIFACT_NAME_RULE}`);
  const done = folders.artifacts.reserve(build.id, name);
  if (!done) return refused(name, 'another branch of the step is keeping one of that name');
  try {
    if (await store.artifacts.find(build.id, name)) {
      done();
      return refused(name, 'the build has one of that name already; give this one another');
    }
    if ((await store.artifacts.count(build.id)) >= ARTIFACTS_MOST) {
      done();
      return refused(name, `the build has ${ARTIFACTS_MOST} artifacts; pack some into one file`);
    }
    const { sha256, size, settled } = await folders.artifacts.add(file);
    const { id: buildId, project, builder } = build;
    return {
      answer: { ok: { size, sha256 } },
      async also() {
        try {
          const keptAtMs = clock.now();
          await store.artifacts.add({ buildId, project, builder, step: step.index, name, sha256, size, keptAtMs });
        } finally {
          settled();
          done();
        }
      },
    };
  } catch (error) {
    done();
    throw error;
  }
}

function refused(name: string, why: string): Performed {
  return { answer: { error: `artifact "${name}": ${why}` } };
}

/** Says which artifact is meant: its record keeps it, so that the step gets the same one when it is run again. */
export async function findArtifact(
  { store, config }: Pick<BuildTools, 'store' | 'config'>,
  build: Build,
  { name, from, build: wanted }: FindArtifactArgs,
): Promise<StepAnswer> {
  const upstreams =
    from === undefined ? (config().projects.find((one) => one.name === build.project)?.dependsOn ?? []) : [from];
  if (upstreams.length === 0) {
    return {
      error: `artifact "${name}": the project depends on no other; say where it is from, { from: 'PROJECT/BUILDER' }`,
    };
  }
  const found: FoundArtifact[] = [];
  for (const upstream of upstreams) {
    const one = await findIn(store, build, name, upstream, wanted);
    if (typeof one === 'string') return { error: `artifact "${name}": ${one}` };
    if (one) found.push(one);
  }
  const [first, second] = found;
  if (first && second) {
    return {
      error: `artifact "${name}": ${first.project} and ${second.project} both have one; say which, { from: 'PROJECT/BUILDER' }`,
    };
  }
  return first
    ? { ok: first }
    : { error: `artifact "${name}": no good build of ${upstreams.join(' or ')} has kept one` };
}

async function findIn(
  store: BuildTools['store'],
  build: Build,
  name: string,
  from: string,
  wanted: number | undefined,
): Promise<FoundArtifact | string | undefined> {
  const [project = '', builder] = from.split('/');
  if (wanted === undefined) {
    const artifact = await store.artifacts.lastGood({ name, project, ...(builder !== undefined && { builder }) });
    const source = artifact && (await store.builds.find(artifact.buildId));
    return source && foundOf(artifact, source);
  }
  if (builder === undefined) return `build ${wanted} of what? Say from: 'PROJECT/BUILDER'`;
  const source = await store.builds.findByNumber(project, builder, wanted);
  if (!source) return `there is no build ${from}#${wanted}`;
  // What a fork has made must not get into anything that is trusted.
  if (source.source.untrustedOf !== undefined && build.source.untrustedOf === undefined) {
    return `${from}#${wanted} is of a fork, and its artifacts are for builds of forks alone`;
  }
  const artifact = await store.artifacts.find(source.id, name);
  return artifact ? foundOf(artifact, source) : `${from}#${wanted} has kept none of that name`;
}

function foundOf({ sha256, size }: Artifact, { id, project, builder, number }: Build): FoundArtifact {
  return { build: id, project, builder, number, sha256, size };
}
