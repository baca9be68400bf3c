import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Outcome } from '../../protocol/messages.ts';
import {
  exitFile,
  FILES,
  LOST_KEEPER,
  outputRange,
  processFile,
  readLooseRecord,
  segmentName,
} from './command-files.ts';
import type { Claim } from './command-files.ts';
import { membersOf, removeCgroup } from './cgroup.ts';
import { COMMAND_GROUP } from './command-groups.ts';
import { cookieOf } from './cookie.ts';
import { endTree } from './end-tree.ts';
import { bootId, isAlive } from './process-table.ts';
import type { ProcessIdentity } from './process-table.ts';
import { TreeScan } from './tree-scan.ts';
import { toldLeft, writeOutcome } from './write-outcome.ts';

const LOSS_MARK = '[trunkline: the keeper of this command was killed: the end of its output may be missing]\n';

/**
 * Writes the outcome of a command whose keeper is dead, after its processes were ended: how its main process ended, if the
 * keeper had still noted that, otherwise `unknown`.
 */
export async function recoverCommand(
  spoolDir: string,
  claim: Claim,
  endMs: number,
  nowMs: number,
  warn: (message: string) => void,
): Promise<void> {
  const dir = join(spoolDir, claim.command);
  const isSameBoot = claim.keeper.bootId === bootId();
  const main = readLooseRecord(dir, FILES.process, processFile);
  let left: readonly ProcessIdentity[] = [];
  if (isSameBoot) {
    const leader = main && isAlive(main.process) ? { leader: main.process } : {};
    const pipe = main?.pipe ? { pipe: { name: main.pipe, sinceTicks: main.process.startTicks } } : {};
    const cgroup = cgroupOf(claim);
    const named = cgroup === undefined ? {} : { cgroup };
    const cookie = cookieOf(spoolDir, claim.command);
    left = await endTree(new TreeScan({ cookie, ...leader, ...pipe, ...named }), endMs);
    if (cgroup !== undefined) removeCgroup(cgroup);
  }
  const exit = readLooseRecord(dir, FILES.exit, exitFile);
  // Without an exit status the outcome itself says that nothing is known.
  if (exit) await markLoss(dir, claim);
  const { end } = outputRange(dir, claim);
  const lostBy = isSameBoot ? 'keeper' : 'reboot';
  const outcome = { ...outcomeOf(claim, exit, main?.startedAtMs, lostBy, nowMs), message: why() };
  await writeOutcome(dir, { outcome, outputEnd: end, left }, warn);

  function why(): string {
    const cause = isDeepStrictEqual(claim.keeper, LOST_KEEPER)
      ? 'the disk has lost what it knew of it'
      : isSameBoot
        ? `the keeper process ${claim.keeper.pid}, which ran it, was killed`
        : 'the machine was restarted while it ran';
    const rest = exit ? 'the end of its output may be missing' : 'whether it did its work is not known';
    return `${cause}; ${rest}${left.length > 0 ? `; ${toldLeft(left)}` : ''}`;
  }
}

/** None that we are in ourselves, should the claim be of other hands. */
function cgroupOf({ cgroup }: Claim): string | undefined {
  if (cgroup === undefined || !COMMAND_GROUP.test(cgroup) || membersOf(cgroup).has(process.pid)) return undefined;
  return cgroup;
}

/** A log that may lack its end says so, once, also if whoever wrote that was killed before the outcome was written. */
async function markLoss(dir: string, claim: Claim): Promise<void> {
  const { end } = outputRange(dir, claim);
  const file = await open(join(dir, segmentName(Math.floor(end / claim.segmentBytes))), 'a+', 0o600);
  try {
    const last = Buffer.alloc(LOSS_MARK.length);
    const { size } = await file.stat();
    const { bytesRead } = await file.read(last, 0, last.length, Math.max(0, size - last.length));
    const tail = last.toString('latin1', 0, bytesRead);
    if (tail === LOSS_MARK) return;
    await file.writeFile(tail === '' || tail.endsWith('\n') ? LOSS_MARK : `\n${LOSS_MARK}`);
    await file.datasync();
  } finally {
    await file.close();
  }
}

function outcomeOf(
  claim: Claim,
  exit: ReturnType<typeof exitFile> | undefined,
  startedAtMs: number | undefined,
  lostBy: string,
  nowMs: number,
): Outcome {
  if (!exit) return { status: 'unknown', facts: { lostBy }, startedAtMs: startedAtMs ?? claim.atMs, endedAtMs: nowMs };
  const times = { startedAtMs: exit.startedAtMs, endedAtMs: exit.endedAtMs };
  const how = exit.signal === undefined ? { exitCode: exit.exitCode ?? 0 } : { signal: exit.signal };
  return { status: exit.signal === undefined ? 'exited' : 'signalled', ...how, cut: 'lost', ...times };
}
