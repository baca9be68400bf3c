import type { SentChange } from '../../master/views/change.ts';

/** What became of a change that the master was told of, or found. */
export function sentChange({ id, branch, revision, isNew, requests, waitsFor }: SentChange): string {
  const change = `change ${id}, ${branch} ${revision.slice(0, 12)}`;
  if (!isNew) return `${change}: known already`;
  const what = [
    ...(requests.length > 0 ? [`${requests.length === 1 ? 'request' : 'requests'} ${requests.join(', ')}`] : []),
    ...(waitsFor.length > 0 ? [`waits for ${waitsFor.join(', ')}`] : []),
  ];
  return `${change}: ${what.join('; ') || `no scheduler of the project builds ${branch}`}`;
}
