import type { ConfigShape } from '../../config/shape.ts';

/** Whether those who may read of `reader` may be told of `project`. */
export function mayBeNamed(project: string, reader: string, config: ConfigShape): boolean {
  return project === reader || isForAll(project, config);
}

/** Whether everybody may be told of a project: not of one that only some may read, or that is gone. */
export function isForAll(project: string, { projects }: ConfigShape): boolean {
  const known = projects.find(({ name }) => name === project);
  return known !== undefined && known.access?.read === undefined;
}
