import { errorCode, errorText } from '../../base/errors.ts';
import { StoreError } from '../store.ts';

/** What SQLite says, for a person: what happened, to which file, what to do. */
export function storeError(error: unknown, file: string): StoreError {
  if (error instanceof StoreError) return error;
  const cause = error;
  const text = errorText(error);
  switch (errorCode(error)) {
    case 'SQLITE_NOTADB':
      return new StoreError('damaged', `${file} is not a Trunkline database: move it away or restore a backup`, {
        cause,
      });
    case 'SQLITE_CORRUPT':
      return new StoreError('damaged', `the database ${file} is damaged (${text}): restore a backup`, { cause });
    case 'SQLITE_FULL':
      return new StoreError('disk', `no room left for the database ${file}: make room on its disk`, { cause });
    case 'SQLITE_READONLY':
    case 'SQLITE_PERM':
      return new StoreError('disk', `cannot write to the database ${file}: check the rights of it and its folder`, {
        cause,
      });
    case 'SQLITE_CANTOPEN':
      return new StoreError('disk', `cannot open the database ${file}: check that its folder exists and is writable`, {
        cause,
      });
    case 'SQLITE_BUSY':
    case 'SQLITE_LOCKED':
      return new StoreError('disk', `the database ${file} is held by another process: end it and try again`, { cause });
    case 'SQLITE_CONSTRAINT':
      return new StoreError('conflict', `the database ${file} holds such a row already, or lacks one named: ${text}`, {
        cause,
      });
    case undefined:
    default:
      return new StoreError('disk', `the database ${file} failed: ${text}`, { cause });
  }
}
