import { describe, expect, it } from 'vitest';
import { FakeClock } from '../../../src/base/fake-clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { makeKeyPair } from '../../../src/transport/keys.ts';
import { LoginPenalty } from '../../../src/transport/login-penalty.ts';
import { PRINCIPAL_LIMITS, PrincipalPlaces } from '../../../src/transport/principal-places.ts';
import { SshLogin } from '../../../src/transport/ssh-login.ts';
import type { LoginOptions, LoginRequest, SshPrincipal } from '../../../src/transport/ssh-login.ts';
import { StrangerLog } from '../../../src/transport/stranger-log.ts';
import { until } from '../../support/ssh-stand.ts';

const blob = Buffer.from(makeKeyPair('ann').publicKey.blob, 'base64');

/** What became of one request: of any method, with any key. */
async function answer(request: Partial<LoginRequest>, options: Partial<LoginOptions<SshPrincipal>> = {}) {
  const clock = new FakeClock();
  const events: string[] = [];
  const login = new SshLogin<SshPrincipal>({
    address: 'here',
    maxTries: 2,
    clock,
    strangers: new StrangerLog(silentLogger, clock, 60),
    places: new PrincipalPlaces(PRINCIPAL_LIMITS),
    penalty: new LoginPenalty(clock),
    authenticate: (name, key) =>
      key.blob === blob.toString('base64') ? { name, role: 'developer' } : { refused: 'unknown' },
    isSigned: () => true,
    sendBanner: () => events.push('banner'),
    giveUp: () => events.push('given up'),
    signal: new AbortController().signal,
    ...options,
  });
  const whole: LoginRequest = {
    username: 'ann',
    method: 'publickey',
    accept: () => events.push('accepted'),
    reject: (methods) => events.push(`rejected ${methods?.join() ?? ''}`),
    ...request,
  };
  let isDone = false;
  const ask = async (): Promise<readonly string[]> => {
    isDone = false;
    void login.answer(whole).finally(() => (isDone = true));
    await until('it was answered', () => {
      clock.advance(100);
      return isDone;
    });
    return events.splice(0);
  };
  return { first: await ask(), principal: login.principal, ask };
}

describe('a login', () => {
  const key = { algo: 'ssh-ed25519', data: blob };

  it('is done by a signature alone, not by asking whether the key would do', async () => {
    expect(await answer({ key })).toMatchObject({ first: ['accepted'], principal: undefined });
    const signed = await answer({ key, signature: Buffer.from('s') });
    expect(signed).toMatchObject({ first: ['accepted'], principal: { name: 'ann', role: 'developer' } });
  });

  it('needs a good signature, a known key and no SHA-1', async () => {
    const refused = ['banner', 'rejected publickey'];
    const signature = Buffer.from('s');
    expect((await answer({ key, signature }, { isSigned: () => false })).first).toEqual(refused);
    expect((await answer({ key: { ...key, data: Buffer.from('x') }, signature })).first).toEqual(refused);
    expect((await answer({ key: { ...key, algo: 'ssh-rsa' }, signature })).first).toEqual(refused);
    expect((await answer({ key: { ...key, algo: 'ssh-rsa' }, hashAlgo: 'sha512', signature })).first).toEqual([
      'accepted',
    ]);
  });

  it.each(['__proto__', 'constructor', 'ssh-dss', 'toString', ''])('with a key of type %j is refused', async (algo) => {
    const { first, principal } = await answer({ key: { algo, data: blob }, signature: Buffer.from('s') });
    expect(first).toEqual(['banner', 'rejected publickey']);
    expect(principal).toBeUndefined();
  });

  it('by another method is refused, and the question for methods is no try', async () => {
    expect((await answer({ method: 'none' })).first).toEqual(['rejected publickey']);
    expect((await answer({ method: 'password' })).first).toEqual(['rejected publickey']);
  });

  it('is given up after so many tries, with one banner', async () => {
    const { first, ask } = await answer({ key: { ...key, data: Buffer.from('x') } });
    expect(first).toEqual(['banner', 'rejected publickey']);
    expect(await ask()).toEqual(['given up']);
  });

  it('is refused when the check itself fails', async () => {
    const authenticate = (): never => {
      throw new Error('the database is gone');
    };
    expect((await answer({ key }, { authenticate })).first).toEqual(['banner', 'rejected publickey']);
  });
});
