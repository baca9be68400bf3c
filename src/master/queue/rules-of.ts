import type { BuilderShape, ConfigShape } from '../../config/shape.ts';
import type { BuildRequest } from '../../model/build-request.ts';

/** Those of the requests whose builders have a rule of this kind, with it. */
export function rulesOf<T>(
  { projects }: ConfigShape,
  requests: readonly BuildRequest[],
  ruleOf: (builder: BuilderShape) => T | undefined,
): readonly { readonly request: BuildRequest; readonly rule: T }[] {
  const rules = new Map<string, T>();
  for (const { name: project, builders } of projects) {
    for (const builder of builders) {
      const rule = ruleOf(builder);
      if (rule !== undefined) rules.set(`${project}/${builder.name}`, rule);
    }
  }
  if (rules.size === 0) return [];
  return requests.flatMap((request) => {
    const rule = rules.get(`${request.project}/${request.builder}`);
    return rule === undefined ? [] : [{ request, rule }];
  });
}
