import type { BuildRequest } from '../../model/build-request.ts';
import type { HoldSource } from './read-queue.ts';

/** What waits until a person has approved it. */
export const approvalHolds: HoldSource = async (requests) => {
  const waiting = requests.filter(({ approval }) => approval === 'needed');
  return new Map(waiting.map((request) => [request.id, { text: holdText(request) }]));
};

function holdText({ id, source }: BuildRequest): string {
  const author = source.untrustedOf ?? 'somebody';
  return `waits for approval: a pull request of a fork by ${author}; ssh ci approve-build request:${id}`;
}
