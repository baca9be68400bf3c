import type { Clock } from '../../base/clock.ts';
import { Gate } from '../../base/gate.ts';
import type { Pass, PassKind } from '../../model/pass.ts';
import { mayActAs } from '../../model/principal.ts';
import type { Principal, Role } from '../../model/principal.ts';
import { StoreError } from '../../store/store.ts';
import type { Store } from '../../store/store.ts';
import { fingerprint } from '../../transport/keys.ts';
import { OperatorError } from '../operator.ts';
import type { Asker } from '../operator.ts';
import type { WebAccess } from '../web-door.ts';
import type { People } from './people.ts';
import { idOf, isSecretOf, makeSecret } from './secrets.ts';

export interface PassesOptions {
  readonly store: Store;
  readonly people: Pick<People, 'list'>;
  readonly clock: Clock;
}

export interface NewPass {
  /** Shown once. */
  readonly secret: string;
  readonly pass: Pass;
}

const LOGIN_MS = 5 * 60_000;
const SESSION_MS = 7 * 86_400_000;
/** Of one person. Of links and sessions the oldest makes room, a token is revoked by hand. */
const MOST: Readonly<Record<PassKind, number>> = { login: 10, session: 50, token: 50 };

/**
 * Links to sign in with, sessions of browsers, tokens of programs. Each is looked up and judged at each use, against the person
 * as he is then, so that nothing has to be ended when a key goes.
 */
export class Passes implements WebAccess {
  readonly #options: PassesOptions;
  /** Counting and adding are two steps. */
  readonly #turn = new Gate(1);

  constructor(options: PassesOptions) {
    this.#options = options;
  }

  /** A link's code, good for one sign-in. */
  makeLogin(asker: Asker): Promise<NewPass> {
    return this.#turn.pass(() => this.#make({ kind: 'login', who: asker.name, label: '', lifeMs: LOGIN_MS }));
  }

  makeToken(
    asker: Asker,
    {
      label,
      role,
      lifeMs,
    }: { readonly label: string; readonly role: Exclude<Role, 'worker'>; readonly lifeMs: number },
  ): Promise<NewPass> {
    return this.#turn.pass(() => this.#make({ kind: 'token', who: asker.name, label, role, lifeMs }));
  }

  /** Those that are good, the oldest first. */
  async tokens(): Promise<readonly Pass[]> {
    const all = await this.#options.store.passes.list();
    return all.filter((pass) => pass.kind === 'token' && this.#asker(pass) !== undefined);
  }

  async revokeToken(id: string): Promise<void> {
    await this.#options.store.passes.remove(id);
  }

  /** Of people who are gone: another of the same name, some day, is somebody else. */
  async dropOfTheGone(): Promise<void> {
    const { store } = this.#options;
    const owners = new Set((await store.passes.list()).map(({ who }) => who));
    for (const who of owners) if (!this.#person(who)) await store.passes.removeOf(who);
  }

  async askerOf(kind: 'session' | 'token', secret: string): Promise<Asker | undefined> {
    const pass = await this.#find(kind, secret);
    return pass && this.#asker(pass);
  }

  async signIn(code: string): Promise<SignedIn | undefined> {
    // A stranger who guesses holds up nobody.
    if (!(await this.#find('login', code))) return undefined;
    return await this.#turn.pass(() => this.#signIn(code));
  }

  async signOut(session: string): Promise<void> {
    const pass = await this.#find('session', session);
    if (pass) await this.#options.store.passes.remove(pass.id);
  }

  async #signIn(code: string): Promise<SignedIn | undefined> {
    const { store, clock } = this.#options;
    const login = await this.#find('login', code);
    const asker = login && this.#asker(login);
    if (!login || !asker) return undefined;
    await this.#makeRoom('session', login.who);
    const { pass, secret } = this.#new({ ...login, kind: 'session', lifeMs: SESSION_MS, keys: login.keys });
    try {
      await store.passes.exchange(login.id, pass);
    } catch (error) {
      // Another was faster with the same link.
      if (error instanceof StoreError && error.code === 'not-found') return undefined;
      throw error;
    }
    await store.audit.add({ atMs: clock.now(), who: asker.name, action: 'sign in to the web', target: pass.id });
    return { session: secret, expiresAtMs: pass.expiresAtMs };
  }

  async #find(kind: PassKind, secret: string): Promise<Pass | undefined> {
    const id = idOf(kind, secret);
    const pass = id === undefined ? undefined : await this.#options.store.passes.find(id);
    return pass?.kind === kind && isSecretOf(secret, pass.secretSha256) ? pass : undefined;
  }

  /** Whom it stands for now. */
  #asker(pass: Pass): Asker | undefined {
    if (pass.expiresAtMs <= this.#options.clock.now()) return undefined;
    const person = this.#person(pass.who);
    if (!person) return undefined;
    const keys = fingerprints(person);
    if (!pass.keys.every((key) => keys.includes(key))) return undefined;
    const role = pass.role !== undefined && mayActAs(person.role, pass.role) ? pass.role : person.role;
    return { name: person.name, role };
  }

  #person(name: string): Principal | undefined {
    const found = this.#options.people.list().find((one) => one.name === name);
    return found && found.role !== 'worker' && found.revokedAtMs === undefined ? found : undefined;
  }

  async #make(wish: Omit<Wish, 'keys'>): Promise<NewPass> {
    const { store, clock } = this.#options;
    const person = this.#person(wish.who);
    if (!person) throw new OperatorError('forbidden', `${wish.who} has no key here that anything could stand for`);
    await store.passes.removeExpired(clock.now());
    await this.#makeRoom(wish.kind, wish.who);
    // A person may change keys, and the programs go on; a browser is asked to sign in anew.
    const made = this.#new({ ...wish, keys: wish.kind === 'token' ? [] : fingerprints(person) });
    await store.passes.add(made.pass);
    return made;
  }

  #new({ lifeMs, kind, who, label, role, keys }: Wish): NewPass {
    const madeAtMs = this.#options.clock.now();
    const { id, text, sha256: secretSha256 } = makeSecret(kind);
    const pass = { id, kind, who, secretSha256, label, keys, madeAtMs, expiresAtMs: madeAtMs + lifeMs };
    return { secret: text, pass: { ...pass, ...(role && { role }) } };
  }

  async #makeRoom(kind: PassKind, who: string): Promise<void> {
    const { store } = this.#options;
    const own = (await store.passes.list()).filter((pass) => pass.kind === kind && pass.who === who);
    const [oldest] = own;
    if (!oldest || own.length < MOST[kind]) return;
    if (kind === 'token') {
      throw new OperatorError('conflict', `${who} has ${own.length} tokens, which is the most: revoke one first`);
    }
    // Another may have made the same room meanwhile, which is as good.
    await store.passes.remove(oldest.id).catch((error: unknown) => {
      if (!(error instanceof StoreError && error.code === 'not-found')) throw error;
    });
  }
}

interface SignedIn {
  readonly session: string;
  readonly expiresAtMs: number;
}

interface Wish extends Pick<Pass, 'kind' | 'who' | 'label' | 'role' | 'keys'> {
  readonly lifeMs: number;
}

function fingerprints({ keys }: Principal): readonly string[] {
  return keys.map((key) => fingerprint(key));
}
