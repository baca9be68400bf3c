import { afterEach, beforeEach, expect, test } from 'vitest';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger } from '../../../../src/base/logger.ts';
import { Invitations } from '../../../../src/master/people/invitations.ts';
import { openPeople } from '../../../../src/master/people/people.ts';
import type { People } from '../../../../src/master/people/people.ts';
import type { Store } from '../../../../src/store/store.ts';
import { fingerprint, makeKeyPair } from '../../../../src/transport/keys.ts';
import { TempStore } from '../../../support/temp-store.ts';

let temp: TempStore;
let store: Store;
let people: People;
let keysDir: string;
let invitations: Invitations;

beforeEach(async () => {
  temp = await TempStore.make();
  store = await temp.open();
  keysDir = await mkdtemp(join(tmpdir(), 'tl-keys-'));
  people = await openPeople({ store, keysDir, clock: temp.clock, logger: silentLogger });
  invitations = await open();
});
afterEach(async () => {
  await people.close();
  await temp.remove();
  await rm(keysDir, { recursive: true });
});

const open = (): Promise<Invitations> => Invitations.open({ store, people, clock: temp.clock, logger: silentLogger });
const invite = (worker: string, forMs = 60_000): Promise<string> =>
  invitations.add({ worker, invitedBy: 'ann', expiresAtMs: temp.clock.now() + forMs, isForKnown: false });
function admitted(code: string) {
  const answer = invitations.admit(code);
  if ('refused' in answer) throw new Error(answer.refused);
  return answer;
}

test('a code lets in until it has expired, also after a restart of the master, and is told to nobody again', async () => {
  const code = await invite('w');
  expect(code).toMatch(/^join\+[0-9a-f]{32}$/);
  expect(JSON.stringify(await store.invitations.list())).not.toContain(code.slice(5));
  invitations = await open();
  const who = admitted(code);
  expect(who.name).toBe('w');
  expect(invitations.admit(`${code}0`)).toEqual({ refused: 'no invitation has this code' });
  temp.clock.advance(60_000);
  expect(invitations.admit(code)).toEqual({ refused: 'the invitation of w has expired' });
  expect(invitations.open()).toEqual([]);
  // Who was let in before its end comes too late as well.
  await expect(invitations.enrol(who, makeKeyPair('w').publicKey)).rejects.toThrow(/not open any more/);
  expect(people.isAdmitted('w')).toBe(false);
});

test('a code admits one key, at once; whoever comes later hears which', async () => {
  const code = await invite('w');
  const who = admitted(code);
  const first = makeKeyPair('first').publicKey;
  await invitations.enrol(who, first);
  expect(people.authenticate('w', first)).toMatchObject({ name: 'w', role: 'worker' });
  expect(invitations.admit(code)).toEqual({
    refused: `the invitation of w was used up by the key ${fingerprint(first)}`,
  });
  const second = makeKeyPair('second').publicKey;
  await expect(invitations.enrol(who, second)).rejects.toThrow(`another machine was faster and is w now`);
  expect(people.authenticate('w', second)).toHaveProperty('refused');
});

test('a new invitation of a worker takes the place of the old', async () => {
  const old = await invite('w');
  const code = await invite('w');
  expect(invitations.admit(old)).toHaveProperty('refused');
  expect(admitted(code).name).toBe('w');
  await invitations.remove('w');
  expect(invitations.admit(code)).toHaveProperty('refused');
  await expect(invitations.remove('w')).rejects.toMatchObject({ code: 'not-found' });
});
