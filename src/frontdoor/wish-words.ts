import type { Operator } from '../master/operator.ts';
import { UsageError } from './verb.ts';

interface WishValues {
  readonly branch?: string | undefined;
  readonly revision?: string | undefined;
  readonly property?: readonly string[] | undefined;
  readonly reason?: string | undefined;
  readonly 'external-id'?: string | undefined;
}

interface BuilderName {
  readonly project: string;
  readonly builder: string;
}

/** `PROJECT/BUILDER`. */
export function readTarget(target: string): BuilderName {
  const [project, builder, ...rest] = target.split('/');
  if (!project || !builder || rest.length > 0) throw new UsageError(`"${target}" is not PROJECT/BUILDER`);
  return { project, builder };
}

/** `PROJECT/BUILDER,BUILDER,…`: builders of one project, whose name may be said again with each. */
export function readTargets(targets: string): readonly BuilderName[] {
  const [first = '', ...others] = targets.split(',');
  const { project, builder } = readTarget(first);
  return [
    { project, builder },
    ...others.map((other) => readTarget(other.includes('/') ? other : `${project}/${other}`)),
  ];
}

/** Each of them `NAME=VALUE`. */
export function readProperties(pairs: readonly string[]): Readonly<Record<string, string>> {
  const properties: Record<string, string> = {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw new UsageError(`"${pair}" is not NAME=VALUE`);
    properties[pair.slice(0, at)] = pair.slice(at + 1);
  }
  return properties;
}

/** How a person says the build he wants. */
export const WISH_OPTIONS = {
  branch: { type: 'string' },
  revision: { type: 'string' },
  property: { type: 'string', short: 'p', multiple: true },
  reason: { type: 'string' },
  'external-id': { type: 'string' },
} as const;

export function readWish({
  branch,
  revision,
  property = [],
  reason,
  'external-id': externalId,
}: WishValues): Parameters<Operator['force']>[2] {
  return {
    properties: readProperties(property),
    ...(branch !== undefined && { branch }),
    ...(revision !== undefined && { revision }),
    ...(reason !== undefined && { reason }),
    ...(externalId !== undefined && { externalId }),
  };
}
