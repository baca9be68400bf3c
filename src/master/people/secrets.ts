import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { PassKind } from '../../model/pass.ts';

/** The letter by which a secret says what it is, also to whoever finds it in a file and looks for such. */
const LETTER: Readonly<Record<PassKind, string>> = { login: 'l', session: 's', token: 't' };
const ID_BYTES = 6;
const SECRET_BYTES = 24;
const FORM = /^tl([lst])_([0-9a-f]{12})_([A-Za-z0-9_-]{32})$/;
const FORM_ANYWHERE = /(tl[lst]_[0-9a-f]{12}_)[A-Za-z0-9_-]{32}/g;
const CODE_ANYWHERE = /(join\+)[0-9a-f]{32}/g;

export interface NewSecret {
  readonly id: string;
  /** To be shown once: `tlt_0123456789ab_…`. */
  readonly text: string;
  readonly sha256: string;
}

/** 192 random bits behind a name that is no secret. */
export function makeSecret(kind: PassKind): NewSecret {
  const id = randomBytes(ID_BYTES).toString('hex');
  const text = `tl${LETTER[kind]}_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  return { id, text, sha256: sha256(text).toString('hex') };
}

/** The name in a secret of this kind; undefined when it is none. */
export function idOf(kind: PassKind, text: string): string | undefined {
  const match = FORM.exec(text);
  return match?.[1] === LETTER[kind] ? match[2] : undefined;
}

/** A text that people wrote, as it may be kept: a secret that stands where a name belongs is told by its name. */
export function withoutSecrets(text: string): string {
  return text.replaceAll(FORM_ANYWHERE, '$1…').replaceAll(CODE_ANYWHERE, '$1…');
}

/** In a time that does not depend on where they differ. */
export function isSecretOf(text: string, sha256Hex: string): boolean {
  return timingSafeEqual(sha256(text), Buffer.from(sha256Hex, 'hex'));
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
