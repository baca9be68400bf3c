import { open } from 'node:fs/promises';
import { ulid } from '../base/ulid.ts';
import type { Clock } from '../base/clock.ts';
import { errorText } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import { ArchiveFolder } from './archive/archive-folder.ts';
import { Sealer } from './archive/sealer.ts';
import { approvalStore } from './sqlite/approvals.ts';
import { artifactStore } from './sqlite/artifacts.ts';
import { auditStore } from './sqlite/audit-log.ts';
import { BatchWriter } from './sqlite/batch-writer.ts';
import type { CommitPoint } from './sqlite/batch-writer.ts';
import { requestStore } from './sqlite/build-requests.ts';
import { builderStore } from './sqlite/builders.ts';
import { buildStore } from './sqlite/builds.ts';
import { changeStore } from './sqlite/changes.ts';
import { commandStore } from './sqlite/commands.ts';
import { configStore } from './sqlite/configs.ts';
import { Connection } from './sqlite/connection.ts';
import type { Context } from './sqlite/context.ts';
import { hookDeliveryStore } from './sqlite/hook-deliveries.ts';
import { invitationStore } from './sqlite/invitations.ts';
import { hostKeyStore } from './sqlite/host-keys.ts';
import { lockStore } from './sqlite/locks.ts';
import { logStore } from './sqlite/logs.ts';
import { migrate } from './sqlite/migrate.ts';
import { outboxStore } from './sqlite/outbox.ts';
import { passStore } from './sqlite/passes.ts';
import { principalStore } from './sqlite/principals.ts';
import { retentionStore } from './sqlite/retention.ts';
import { schedulerStore } from './sqlite/schedulers.ts';
import { masterId } from './sqlite/settings.ts';
import { sourceStore } from './sqlite/sources.ts';
import { buildEnvStore } from './sqlite/build-envs.ts';
import { stepLinkStore } from './sqlite/step-links.ts';
import { testResultStore } from './sqlite/test-results.ts';
import { troubleStore } from './sqlite/troubles.ts';
import { workerStore } from './sqlite/workers.ts';
import { StoreError } from './store.ts';
import type { Store } from './store.ts';

export interface StoreOptions {
  /** The SQLite file, made when it is not there; its folder must be. */
  readonly file: string;
  /** Where logs are sealed into; made when first needed. */
  readonly archiveDir: string;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called around each COMMIT, for tests that kill the process there. */
  readonly onCommit?: (point: CommitPoint) => void;
}

const BUSY_TIMEOUT_MS = 5_000;
/** The write-ahead log is folded into the file from this size on, and cut back to it. */
const WAL_BYTES = 32 * 1024 * 1024;
/** Larger than SQLite's 4 KiB: a 256 KiB log chunk costs about a third less CPU, a 64 KiB one or a small commit no more. */
const PAGE_BYTES = 16_384;

/** Opens the SQLite store; rejects with a `StoreError` whose message is one line for a person. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { file, logger, clock } = options;
  await makeFile(file);
  const connection = await Connection.open(file, 'readwrite', BUSY_TIMEOUT_MS);
  try {
    await prepare(connection, file);
    const reader = await Connection.open(file, 'readonly', BUSY_TIMEOUT_MS);
    return assemble(connection, reader, options, logger, clock);
  } catch (error) {
    await connection.close().catch(() => undefined); // The first error says more.
    throw error;
  }
}

/** Made by us, not by SQLite: the database holds what is not for everybody on the machine. */
async function makeFile(file: string): Promise<void> {
  try {
    await (await open(file, 'a', 0o600)).close();
  } catch (error) {
    const why = `cannot write the database ${file}: ${errorText(error)}`;
    throw new StoreError('disk', why, { cause: error });
  }
}

async function prepare(connection: Connection, file: string): Promise<void> {
  await connection.all(`PRAGMA page_size = ${PAGE_BYTES}`);
  await connection.all('PRAGMA auto_vacuum = INCREMENTAL');
  await connection.all('PRAGMA journal_mode = WAL');
  await connection.all('PRAGMA synchronous = FULL');
  await connection.all(`PRAGMA wal_autocheckpoint = ${WAL_BYTES / PAGE_BYTES}`);
  await connection.all(`PRAGMA journal_size_limit = ${WAL_BYTES}`);
  await migrate(connection, file);
  await connection.all('PRAGMA foreign_keys = ON');
}

function assemble(
  connection: Connection,
  reader: Connection,
  { archiveDir, onCommit }: StoreOptions,
  logger: Logger,
  clock: Clock,
): Store {
  const writer = new BatchWriter(connection, onCommit);
  const context: Context = { reader, writer };
  const archive = new ArchiveFolder(archiveDir);
  const sealer = new Sealer(context, archive, logger, clock);
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await sealer.close();
    await writer.close();
    await reader.close();
    await connection.close();
  };
  return {
    configs: configStore(context),
    principals: principalStore(context),
    passes: passStore(context),
    invitations: invitationStore(context),
    workers: workerStore(context),
    requests: requestStore(context),
    changes: changeStore(context),
    approvals: approvalStore(context),
    hookDeliveries: hookDeliveryStore(context),
    schedulers: schedulerStore(context),
    builders: builderStore(context),
    artifacts: artifactStore(context),
    builds: buildStore(context, sealer),
    commands: commandStore(context),
    locks: lockStore(context),
    tests: testResultStore(context),
    logs: logStore(context, archive, sealer),
    audit: auditStore(context),
    hostKeys: hostKeyStore(context),
    troubles: troubleStore(context),
    sources: sourceStore(context),
    buildEnvs: buildEnvStore(context),
    stepLinks: stepLinkStore(context),
    outbox: outboxStore(context),
    retention: retentionStore(context, archive, sealer),
    masterId: () => masterId(context, () => ulid(clock.now())),
    together: (begin) => writer.together(begin),
    onAside: (listener) => writer.onAside(listener),
    close: () => (closing ??= close()),
  };
}
