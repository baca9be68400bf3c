import { z } from 'zod';
import { isWebLink, WEB_LINK_RULE } from '../model/web-link.ts';
import { fingerprintOf } from './fingerprint.ts';
import type { SourceShape } from './shape.ts';
import type { RevlinkFunction } from './values.ts';

const REVLINK_RULE = `write ${WEB_LINK_RULE}, with {revision} in it, or a function that gives it one`;

const isTemplate = (text: string): boolean =>
  text.includes('{revision}') && isWebLink(text.replaceAll('{revision}', '0'.repeat(64)));

/** Where revisions of a source can be looked at. */
export const revlinkSchema = z.union(
  [
    z.string().refine(isTemplate, { error: REVLINK_RULE }),
    z.custom<RevlinkFunction>((value) => typeof value === 'function'),
  ],
  { error: REVLINK_RULE },
);

export function revlinkShape(given: z.infer<typeof revlinkSchema>): NonNullable<SourceShape['revlink']> {
  return typeof given === 'string' ? { template: given } : { function: fingerprintOf(given) };
}
