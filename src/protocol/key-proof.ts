/** What ties a proof to one connection: each side chose some of it, so it can be used nowhere else. */
export interface KeyProofPlace {
  readonly masterId: string;
  readonly worker: string;
  readonly installId: string;
  readonly processId: string;
  readonly epoch: number;
}

/**
 * What the owner of a new key signs with it (as UTF-8), to show on this connection that it is its owner: `key.new` of a worker,
 * `hostkeys` of a master. `publicKey` is `TYPE BLOB`.
 */
export function keyProofText(message: 'key.new' | 'hostkeys', publicKey: string, place: KeyProofPlace): string {
  const { masterId, worker, installId, processId, epoch } = place;
  return ['trunkline', message, masterId, worker, installId, processId, String(epoch), publicKey].join('\n');
}
