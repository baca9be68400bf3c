import { errorCode } from '../../base/errors.ts';

/** No room, no memory, no descriptors, a broken disk: whatever was asked for, the machine could not do it. */
const CODES: ReadonlySet<string> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EIO',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'EAGAIN',
]);

/** What an outcome says beside `refused` when the refusal is the machine's fault, and not the command's. */
export function faultOf(error: unknown): { readonly fault?: 'worker' } {
  return CODES.has(errorCode(error) ?? '') ? { fault: 'worker' } : {};
}
