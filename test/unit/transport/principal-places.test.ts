import { once } from 'node:events';
import ssh2 from 'ssh2';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/fake-clock.ts';
import { PRINCIPAL_LIMITS } from '../../../src/transport/principal-places.ts';
import { StrangerLog } from '../../../src/transport/stranger-log.ts';
import { sshStand, until } from '../../support/ssh-stand.ts';
import type { SshStand } from '../../support/ssh-stand.ts';

describe('the connections of one principal', () => {
  const stands: SshStand[] = [];
  afterEach(async () => {
    for (const one of stands.splice(0)) await one.close();
  });

  async function stand(): Promise<SshStand> {
    const made = await sshStand();
    stands.push(made);
    return made;
  }

  it.each([
    ['w1', PRINCIPAL_LIMITS.connectionsOfWorker],
    ['ann', PRINCIPAL_LIMITS.connectionsOfPerson],
  ])(
    'of %s are %i at most; the comer is refused, with a word, and those that are there stay',
    async (username, most) => {
      const made = await stand();
      const key = username === 'w1' ? made.workerKey : made.personKey;
      const login = { username, privateKey: key.privateKey };
      const first = await made.client(login);
      for (let i = 1; i < most; i++) await made.client(login);
      const comer = new ssh2.Client();
      const banner = once(comer, 'banner') as Promise<[string]>;
      const refused = once(comer, 'error');
      comer.connect({ host: '127.0.0.1', port: made.server.port, ...login });
      expect((await banner)[0]).toContain(`${username} has ${most} connections already`);
      await refused;
      await until('it is gone', () => made.server.stats().connections === most);
      // Another name is not touched by it.
      const other = username === 'w1' ? 'ann' : 'w1';
      const otherKey = username === 'w1' ? made.personKey : made.workerKey;
      await made.client({ username: other, privateKey: otherKey.privateKey });
      first.end();
      await until('a place is free', () => made.server.stats().connections === most);
      await made.client(login);
    },
  );
});

describe('lines about strangers', () => {
  it('are so many a minute, and then their number', () => {
    const clock = new FakeClock();
    const lines: string[] = [];
    const write = (message: string, fields?: Record<string, unknown>): void => {
      lines.push(`${message} ${JSON.stringify(fields)}`);
    };
    const log = new StrangerLog({ debug: write, info: write, warn: write, error: write }, clock, 3);
    const come = (count: number): void => {
      for (let i = 0; i < count; i++) log.tell('warn', 'refused', { i });
    };
    come(10_000);
    expect(lines).toEqual(['refused {"i":0}', 'refused {"i":1}', 'refused {"i":2}']);
    clock.advance(60_000);
    expect(lines.splice(0)[3]).toMatch(/left out \{"count":9997/);
    come(2);
    clock.advance(60_000);
    come(5);
    clock.advance(120_000);
    expect(lines.map((line) => line.replace(/ \{.*/, ''))).toEqual([
      ...Array.from({ length: 5 }, () => 'refused'),
      expect.stringContaining('left out'),
    ]);
  });
});
