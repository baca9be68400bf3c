import { createHash, randomBytes } from 'node:crypto';
import { ZodError } from 'zod';
import { UserMistake, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { ProjectShape } from '../../config/shape.ts';
import { isHookKind } from '../../model/forge.ts';
import type { HookKind } from '../../model/forge.ts';
import { takeChange } from '../changes/take-change.ts';
import type { ChangeIntake } from '../changes/take-change.ts';
import type { Configs } from '../configs.ts';
import { readSecret } from '../reporters/read-secret.ts';
import { shown } from '../operator-names.ts';
import { HookRefusal } from './delivery.ts';
import type { Delivery, HeaderOf, Taken, TakenChange } from './delivery.ts';
import { HOOK_RULES } from './forges.ts';
import type { HookEvent } from './hook-event.ts';
import { APPROVED_BY_CONFIG, genericChanges, hookChanges } from './hook-changes.ts';
import { hookProperties } from './hook-properties.ts';
import { readPayload } from './read-payload.ts';

export interface HookSources {
  readonly intake: ChangeIntake;
  readonly configs: Configs;
  readonly logger: Logger;
  /** The master's folder. */
  readonly dir: string;
  /** Has a repository polled now; nobody waits for it. */
  readonly pollNow: (url: string) => void;
}

/** Signatures are compared with it where there is no hook: it takes as long, and fits nothing. */
const NO_SECRET = randomBytes(32).toString('hex');
const NOT_OURS = 'no webhook of this address and secret is known here';

/**
 * Takes what a forge posted: checks that it knows the project's secret, then reads it, and stores its changes with what is to be
 * built of them. It is answered when that is committed: whoever got no answer sends it again, and nothing is done twice.
 */
export async function takeDelivery(sources: HookSources, delivery: Delivery): Promise<Taken> {
  const { intake, logger } = sources;
  const { store, clock } = intake;
  const { header, body } = delivery;
  const { forge, project } = await letIn(sources, delivery);
  const rules = HOOK_RULES[forge];
  const keys = deliveryKeys(forge, header, body);
  if (await store.hookDeliveries.isKnown(project.name, keys)) {
    return { isKnown: true, changes: [], commitsLeftOut: 0, note: 'it is known already' };
  }
  const event = rules.event(header);
  const { read, payload } = readEvent(forge, event, delivery);
  if ('nothing' in read) return { isKnown: false, changes: [], commitsLeftOut: 0, note: read.nothing };
  const changes: TakenChange[] = [];
  const { properties, problems } = await hookProperties(project, event, payload, intake.filters.ask);
  for (const problem of problems) logger.warn('a webhook gives fewer properties', { project: project.name, problem });
  const isOfForge = 'news' in read;
  const wishes = isOfForge ? hookChanges(project, read.news) : genericChanges(project, read.told);
  for (const told of wishes) {
    const wish = isOfForge ? { ...told, properties, problems } : told;
    if (wish.isUntrusted && project.forks === 'build') await approveByConfig(intake, project.name, wish.revision);
    const sent = await takeChange(intake, project, wish, `hook:${forge}`);
    changes.push({ ...sent, ...(wish.skipped !== undefined && { skipped: wish.skipped }) });
  }
  await store.hookDeliveries.add(project.name, keys, clock.now());
  const commitsLeftOut = isOfForge ? read.news.commitsLeftOut : 0;
  // It may find what the forge has left out, or what another delivery would have told.
  if (project.source?.poll) sources.pollNow(project.source.url);
  logger.info('a webhook was taken', { project: project.name, forge, event, changes: changes.length, commitsLeftOut });
  return { isKnown: false, changes, commitsLeftOut };
}

/** `forks: 'build'` approves each revision before it is known. */
async function approveByConfig({ store, clock }: ChangeIntake, project: string, revision: string): Promise<void> {
  await store.approvals.approve({ project, revision, by: APPROVED_BY_CONFIG, atMs: clock.now() });
}

/** The project whose secret the sender knows. To all others nothing is told of what there is. */
async function letIn(
  { configs, dir }: HookSources,
  { forge, project: name, header, body }: Delivery,
): Promise<{ readonly forge: HookKind; readonly project: ProjectShape }> {
  const project = configs.active.projects.find((one) => one.name === name);
  const hook = project?.hook;
  if (!isHookKind(forge)) throw new HookRefusal('refused', NOT_OURS, `there is no kind "${shown(forge)}"`);
  const isMeant = hook !== undefined && isOfKind(hook.kind, forge);
  const secret = isMeant ? await readHookSecret(name, dir, hook.secretFile) : NO_SECRET;
  const isSigned = HOOK_RULES[forge].isSigned(header, body, secret);
  if (project && isMeant && isSigned) return { forge, project };
  const why = isMeant ? 'it is not signed with the secret' : 'the project has no such hook';
  throw new HookRefusal('refused', NOT_OURS, why);
}

/** Without a kind it is any forge; who may say all of a change himself has to be meant. */
function isOfKind(kind: HookKind | undefined, forge: HookKind): boolean {
  return kind === undefined ? forge !== 'generic' : kind === forge;
}

async function readHookSecret(project: string, dir: string, file: string): Promise<string> {
  try {
    return await readSecret(`the secret of the webhook of ${project}`, dir, file);
  } catch (error) {
    if (!(error instanceof UserMistake)) throw error;
    throw new HookRefusal('unavailable', 'this master cannot check it now: its log says why', error.message, error);
  }
}

/** By the forge's own name for it, and by what it is: whoever saw one may send it again under another name. */
function deliveryKeys(forge: HookKind, header: HeaderOf, body: Buffer): readonly string[] {
  const { id, event } = HOOK_RULES[forge];
  const said = id(header);
  const hash = createHash('sha256')
    .update(`${event(header)}\n`)
    .update(body)
    .digest('hex');
  return [`sha256 ${forge} ${hash}`, ...(said === '' ? [] : [`id ${forge} ${said}`])];
}

function readEvent(
  forge: HookKind,
  event: string,
  { header, body }: Delivery,
): { readonly read: HookEvent; readonly payload: unknown } {
  const { read, form } = HOOK_RULES[forge];
  try {
    const payload = readPayload(body, header('content-type'), form);
    return { read: read(event, payload), payload };
  } catch (error) {
    const what = error instanceof ZodError ? firstIssue(error) : errorText(error);
    throw new HookRefusal(
      'unreadable',
      `the payload is not understood: ${what}`,
      `its payload is not understood: ${what}`,
      error,
    );
  }
}

function firstIssue({ issues: [issue] }: ZodError): string {
  return issue ? `${issue.path.join('.')}: ${issue.message}` : 'it is not of its shape';
}
