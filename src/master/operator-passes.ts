import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import { parseDuration, showDuration } from '../config/duration.ts';
import type { Pass } from '../model/pass.ts';
import { mayActAs } from '../model/principal.ts';
import type { Role } from '../model/principal.ts';
import type { Store } from '../store/store.ts';
import { audited, demand } from './audit.ts';
import { OperatorError } from './operator.ts';
import type { Asker } from './operator.ts';
import type { LoginView, NewTokenView, TokenView, TokenWish } from './views/pass.ts';
import { shown } from './operator-names.ts';
import type { Passes } from './people/passes.ts';
import { idOf } from './people/secrets.ts';
import { webAddress } from './web-door.ts';
import type { WebSettings } from './web-door.ts';

export interface PassSources {
  readonly store: Store;
  readonly clock: Clock;
  readonly passes: Passes;
  readonly web: WebSettings;
}

const LABEL_MAX = 100;
const DEFAULT_LIFE = '90d';
const LONGEST_LIFE_MS = 366 * 86_400_000;

/** A link that signs one browser in as the asker. */
export async function logIn(sources: PassSources, asker: Asker): Promise<LoginView> {
  const { passes, web } = sources;
  const action = { action: 'make a login link', target: asker.name, role: 'reader' } as const;
  const { secret, pass } = await audited(sources, asker, action, () => passes.makeLogin(asker));
  return { url: `${webAddress(web)}/login/${secret}`, expiresAtMs: pass.expiresAtMs };
}

export async function addToken(sources: PassSources, asker: Asker, wish: TokenWish): Promise<NewTokenView> {
  const { label, role, expires } = wish;
  const detail = { ...(role !== undefined && { role }), ...(expires !== undefined && { expires: shown(expires) }) };
  return await audited(sources, asker, { action: 'add a token', target: label, detail, role: 'reader' }, async () => {
    if (label.trim() === '' || label.length > LABEL_MAX) {
      throw new OperatorError('usage', `a token has a label of 1 to ${LABEL_MAX} characters, by which it is known`);
    }
    const lifeMs = readLife(expires ?? DEFAULT_LIFE);
    const made = await sources.passes.makeToken(asker, { label, role: readRole(asker, role), lifeMs });
    return { ...tokenView(made.pass), token: made.secret };
  });
}

/** One's own; an operator's list has everybody's. */
export async function listTokens({ passes }: PassSources, asker: Asker): Promise<readonly TokenView[]> {
  demand(asker, 'reader', 'list tokens');
  return (await passes.tokens()).filter((pass) => isVisible(asker, pass)).map(tokenView);
}

/** By its id, or by the token itself, as whoever found it has it; resolves to the id. */
export async function revokeToken(sources: PassSources, asker: Asker, token: string): Promise<string> {
  const { passes } = sources;
  const id = idOf('token', token) ?? token;
  return await audited(sources, asker, { action: 'revoke a token', target: id, role: 'reader' }, async () => {
    const found = (await passes.tokens()).find((pass) => pass.id === id && isVisible(asker, pass));
    if (!found) throw new OperatorError('not-found', `there is no token ${shown(id)}; "token list" lists them`);
    await passes.revokeToken(id);
    return id;
  });
}

function isVisible(asker: Asker, pass: Pass): boolean {
  return pass.who === asker.name || mayActAs(asker.role, 'operator');
}

function readRole(asker: Asker, role: string | undefined): Exclude<Role, 'worker'> {
  const wanted = role ?? 'reader';
  if (wanted !== 'reader' && wanted !== 'developer' && wanted !== 'operator') {
    throw new OperatorError('usage', `"${shown(wanted)}" is no role of a token: take reader, developer or operator`);
  }
  if (!mayActAs(asker.role, wanted)) {
    throw new OperatorError('forbidden', `${asker.name} is a ${asker.role}: a token of theirs may not be more`);
  }
  return wanted;
}

function readLife(text: string): number {
  let lifeMs: number;
  try {
    lifeMs = parseDuration(text);
  } catch (error) {
    throw new OperatorError('usage', `--expires: ${shown(errorText(error))}`, { cause: error });
  }
  if (lifeMs > LONGEST_LIFE_MS) {
    throw new OperatorError('usage', `--expires: a token lasts up to ${showDuration(LONGEST_LIFE_MS)}`);
  }
  return lifeMs;
}

function tokenView({ id, who, label, role, madeAtMs, expiresAtMs }: Pass): TokenView {
  return { id, who, label, role: role ?? 'reader', madeAtMs, expiresAtMs };
}
