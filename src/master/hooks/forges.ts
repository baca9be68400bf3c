import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { HookKind } from '../../model/forge.ts';
import type { HeaderOf } from './delivery.ts';
import { genericForm, readGeneric } from './generic-changes.ts';
import { readGithubLike } from './github-events.ts';
import { readGitlab } from './gitlab-events.ts';
import type { ReadEvent } from './hook-event.ts';
import { payloadForm } from './read-payload.ts';

interface HookRules {
  /** Whether the delivery is from one who knows the secret. */
  readonly isSigned: (header: HeaderOf, body: Buffer, secret: string) => boolean;
  readonly event: (header: HeaderOf) => string;
  /** What tells this delivery from others, when it is sent again, too; empty: the forge does not say. */
  readonly id: (header: HeaderOf) => string;
  /** How a form is read; absent: it is refused. */
  readonly form?: (form: string) => unknown;
  readonly read: ReadEvent;
}

const ID_MAX = 100;

export const HOOK_RULES: Readonly<Record<HookKind, HookRules>> = {
  github: {
    isSigned: (header, body, secret) => isSame(header('x-hub-signature-256'), `sha256=${hmac(body, secret)}`),
    event: (header) => header('x-github-event'),
    id: (header) => header('x-github-delivery').slice(0, ID_MAX),
    form: payloadForm,
    read: readGithubLike('github'),
  },
  gitea: {
    isSigned: (header, body, secret) =>
      isSame(header('x-forgejo-signature') || header('x-gitea-signature'), hmac(body, secret)),
    event: (header) => header('x-forgejo-event') || header('x-gitea-event'),
    id: (header) => (header('x-forgejo-delivery') || header('x-gitea-delivery')).slice(0, ID_MAX),
    read: readGithubLike('gitea'),
  },
  gitlab: {
    // Nothing is signed: the secret itself comes.
    isSigned: (header, _body, secret) => isSame(header('x-gitlab-token'), secret),
    event: (header) => header('x-gitlab-event'),
    // Not X-Gitlab-Event-UUID, which several events of one push may share.
    id: (header) => (header('webhook-id') || header('idempotency-key')).slice(0, ID_MAX),
    read: readGitlab,
  },
  generic: {
    isSigned: (header, body, secret) => isSame(header('x-hub-signature-256'), `sha256=${hmac(body, secret)}`),
    event: () => 'change',
    id: (header) => header('idempotency-key').slice(0, ID_MAX),
    form: genericForm,
    read: readGeneric,
  },
};

function hmac(body: Buffer, secret: string): string {
  return createHmac('sha256', secret).update(body).digest('hex');
}

/** Takes as long for any two texts of their lengths: of what was said nobody learns how much was right. */
function isSame(said: string, wanted: string): boolean {
  return timingSafeEqual(digest(said), digest(wanted));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
