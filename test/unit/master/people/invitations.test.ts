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
import { until } from '../../../support/until.ts';

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

test('who is let in is told so, whatever is invited in the same moment', async () => {
  // A new invitation forgets those that are used up.
  const between: Pick<People, 'change' | 'onRemoved'> = {
    change: (work) =>
      people.change(async () => {
        const done = await work();
        await invite('other');
        return done;
      }),
    onRemoved: (listener) => people.onRemoved(listener),
  };
  invitations = await Invitations.open({ store, people: between, clock: temp.clock, logger: silentLogger });
  expect(await invitations.enrol(admitted(await invite('w')), makeKeyPair('w').publicKey)).toBe('ann');
  expect(people.isAdmitted('w')).toBe(true);
});

test('an invitation that was open when its worker was revoked lets nobody in', async () => {
  await people.addWorker('w', [makeKeyPair('w').publicKey]);
  const wish = { worker: 'w', invitedBy: 'ann', expiresAtMs: temp.clock.now() + 60_000, isForKnown: true };
  const code = await invitations.add(wish);
  const who = admitted(code);
  await people.revokeWorker('w');
  await expect(invitations.enrol(who, makeKeyPair('late').publicKey)).rejects.toThrow(/not open any more/);
  expect(people.isAdmitted('w')).toBe(false);
  await until('its code is forgotten', () => 'refused' in invitations.admit(code));
  // One that is made after it is meant.
  await invitations.enrol(admitted(await invite('w')), makeKeyPair('new').publicKey);
  expect(people.isAdmitted('w')).toBe(true);
});
