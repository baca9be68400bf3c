import { beforeEach, expect, it } from 'vitest';
import { MAX_OPEN_INVITATIONS } from '../../../src/model/invitation.ts';
import type { Invitation } from '../../../src/model/invitation.ts';
import type { Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';

const invitation = (worker: string, more: Partial<Invitation> = {}): Omit<Invitation, 'used'> => ({
  worker,
  codeHash: `hash of ${worker}`,
  invitedBy: 'ann',
  atMs: 1_000,
  expiresAtMs: 5_000,
  isForKnown: false,
  ...more,
});
const key = (blob: string) => ({ type: 'ssh-ed25519', blob, comment: '' });
const enrolment = (worker: string, blob: string, atMs = 2_000) => ({
  codeHash: `hash of ${worker}`,
  key: key(blob),
  fingerprint: `SHA256:${blob}`,
  atMs,
  maxKeys: 2,
});

eachStore('invitations', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  it('admit one key each, however many come at once', async () => {
    await store.invitations.add(invitation('w'));
    const tries = ['A', 'B', 'C', 'D'].map((blob) => store.invitations.enrol(enrolment('w', blob)));
    const done = await Promise.allSettled(tries);
    expect(done.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected']);
    expect(done.slice(1)).toMatchObject(Array.from({ length: 3 }, () => ({ reason: { code: 'lost-claim' } })));
    expect(await store.principals.list()).toEqual([{ name: 'w', role: 'worker', keys: [key('A')], source: 'command' }]);
    expect(await store.invitations.list()).toEqual([{ ...invitation('w'), used: { atMs: 2_000, key: 'SHA256:A' } }]);
  });

  it('admit nobody when they have expired, were taken back, or another took their place', async () => {
    await store.invitations.add(invitation('w'));
    await expect(store.invitations.enrol(enrolment('w', 'A', 5_000))).rejects.toMatchObject({ code: 'lost-claim' });
    await store.invitations.add(invitation('w', { codeHash: 'another' }));
    await expect(store.invitations.enrol(enrolment('w', 'A'))).rejects.toMatchObject({ code: 'lost-claim' });
    await store.invitations.remove('w');
    await expect(store.invitations.remove('w')).rejects.toMatchObject({ code: 'not-found' });
    expect(await store.invitations.list()).toEqual([]);
    expect(await store.principals.list()).toEqual([]);
  });

  it('stay open when the name is not theirs any more', async () => {
    await store.invitations.add(invitation('w'));
    await store.principals.put({ name: 'w', role: 'reader', keys: [key('R')], source: 'folder' });
    await expect(store.invitations.enrol(enrolment('w', 'A'))).rejects.toMatchObject({ code: 'conflict' });
    await store.principals.put({ name: 'w', role: 'worker', keys: [key('W')], source: 'command' });
    await expect(store.invitations.enrol(enrolment('w', 'A'))).rejects.toMatchObject({ code: 'conflict' });
    expect(await store.invitations.list()).toEqual([invitation('w')]);
    expect(await store.principals.list()).toMatchObject([{ keys: [key('W')] }]);
    // What was open lets nobody in who is shut out; invited then, a worker begins anew: with its key goes no old one.
    await store.principals.revoke('w', 1_500);
    await expect(store.invitations.enrol(enrolment('w', 'A'))).rejects.toMatchObject({ code: 'lost-claim' });
    expect(await store.invitations.list()).toEqual([]);
    await store.invitations.add(invitation('w'));
    expect(await store.invitations.enrol(enrolment('w', 'A'))).toBe('ann');
    expect(await store.principals.list()).toEqual([{ name: 'w', role: 'worker', keys: [key('A')], source: 'command' }]);
    // One that is retired is shut out as well.
    await store.invitations.add(invitation('w'));
    await store.workers.setHold('w', { kind: 'retiring', by: 'ann', sinceMs: 1 }, [undefined]);
    expect(await store.workers.retire('w', 'retiring', 1_600)).toBe(true);
    expect(await store.invitations.list()).toEqual([]);
  });

  it('add a key to a known worker when they are for one, up to so many', async () => {
    await store.principals.put({ name: 'w', role: 'worker', keys: [key('W')], source: 'command' });
    await store.invitations.add(invitation('w', { isForKnown: true }));
    await store.invitations.enrol(enrolment('w', 'A'));
    expect(await store.principals.list()).toMatchObject([{ keys: [key('W'), key('A')] }]);
    await store.invitations.add(invitation('w', { isForKnown: true }));
    await expect(store.invitations.enrol(enrolment('w', 'B'))).rejects.toMatchObject({ code: 'conflict' });
    await store.principals.put({ name: 'w', role: 'worker', keys: [key('W')], source: 'folder' });
    await expect(store.invitations.enrol(enrolment('w', 'B'))).rejects.toMatchObject({ code: 'conflict' });
  });

  it('are bounded; the expired and the used ones make room', async () => {
    for (let n = 0; n < MAX_OPEN_INVITATIONS; n++) await store.invitations.add(invitation(`w${n}`));
    await expect(store.invitations.add(invitation('more'))).rejects.toMatchObject({ code: 'conflict' });
    await store.invitations.enrol(enrolment('w7', 'A'));
    await store.invitations.add(invitation('more'));
    await store.invitations.add(invitation('late', { atMs: 5_000, expiresAtMs: 9_000 }));
    expect((await store.invitations.list()).map(({ worker }) => worker)).toEqual(['late']);
  });
});
