import { createHash, randomBytes } from 'node:crypto';
import { ZodError } from 'zod';
import { UserMistake, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { ProjectShape } from '../../config/shape.ts';
import { isForge } from '../../model/forge.ts';
import type { Forge } from '../../model/forge.ts';
import { takeChange } from '../changes/take-change.ts';
import type { ChangeIntake } from '../changes/take-change.ts';
import type { Configs } from '../configs.ts';
import { readSecret } from '../reporters/read-secret.ts';
import { shown } from '../operator-names.ts';
import { HookRefusal } from './delivery.ts';
import type { Delivery, HeaderOf, Taken, TakenChange } from './delivery.ts';
import { FORGE_RULES } from './forges.ts';
import type { HookEvent } from './hook-event.ts';
import { APPROVED_BY_CONFIG, hookChanges } from './hook-changes.ts';
import { readPayload } from './read-payload.ts';

export interface HookSources {
  readonly intake: ChangeIntake;
  readonly configs: Configs;
  readonly logger: Logger;
  /** The master's folder. */
  readonly dir: string;
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
  const rules = FORGE_RULES[forge];
  const keys = deliveryKeys(forge, header, body);
  if (await store.hookDeliveries.isKnown(project.name, keys)) {
    return { isKnown: true, changes: [], commitsLeftOut: 0, note: 'it is known already' };
  }
  const event = rules.event(header);
  const read = readEvent(forge, event, delivery);
  if ('nothing' in read) return { isKnown: false, changes: [], commitsLeftOut: 0, note: read.nothing };
  const changes: TakenChange[] = [];
  for (const wish of hookChanges(project, read.news)) {
    if (wish.isUntrusted && project.forks === 'build') await approveByConfig(intake, project.name, wish.revision);
    const sent = await takeChange(intake, project, wish, `hook:${forge}`);
    changes.push({ ...sent, ...(wish.skipped !== undefined && { skipped: wish.skipped }) });
  }
  await store.hookDeliveries.add(project.name, keys, clock.now());
  const { commitsLeftOut } = read.news;
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
): Promise<{ readonly forge: Forge; readonly project: ProjectShape }> {
  const project = configs.active.projects.find((one) => one.name === name);
  const hook = project?.hook;
  if (!isForge(forge)) throw new HookRefusal('refused', NOT_OURS, `there is no forge "${shown(forge)}"`);
  const isMeant = hook !== undefined && (hook.kind ?? forge) === forge;
  const secret = isMeant ? await readHookSecret(name, dir, hook.secretFile) : NO_SECRET;
  const isSigned = FORGE_RULES[forge].isSigned(header, body, secret);
  if (project && isMeant && isSigned) return { forge, project };
  const why = isMeant ? 'it is not signed with the secret' : 'the project has no such hook';
  throw new HookRefusal('refused', NOT_OURS, why);
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
function deliveryKeys(forge: Forge, header: HeaderOf, body: Buffer): readonly string[] {
  const { id, event } = FORGE_RULES[forge];
  const said = id(header);
  const hash = createHash('sha256')
    .update(`${event(header)}\n`)
    .update(body)
    .digest('hex');
  return [`sha256 ${forge} ${hash}`, ...(said === '' ? [] : [`id ${forge} ${said}`])];
}

function readEvent(forge: Forge, event: string, { header, body }: Delivery): HookEvent {
  const { read, hasForms } = FORGE_RULES[forge];
  try {
    return read(event, readPayload(body, header('content-type'), hasForms));
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
