import { mkdir } from 'node:fs/promises';
import type { Clock } from '../base/clock.ts';
import { deferred } from '../base/deferred.ts';
import { serveControl } from '../base/control-socket.ts';
import type { ControlServer } from '../base/control-socket.ts';
import { Disposer } from '../base/disposer.ts';
import { UserMistake, errorText } from '../base/errors.ts';
import { lockFolder } from '../base/folder-lock.ts';
import type { Logger } from '../base/logger.ts';
import { LocalBus } from '../bus/local-bus.ts';
import type { ConfigShape } from '../config/shape.ts';
import { openCodeHost } from '../config/open-code-host.ts';
import { unknownInAccess } from '../model/access.ts';
import { LIMITS } from '../protocol/limits.ts';
import { CreditPool } from '../protocol/credit.ts';
import { openStore } from '../store/open-store.ts';
import type { StoreOptions } from '../store/open-store.ts';
import { StoreError } from '../store/store.ts';
import type { Store } from '../store/store.ts';
import type { PersonCall } from '../transport/person-call.ts';
import { listenSsh } from '../transport/ssh-server.ts';
import { Builds, findBuilder } from './builds/builds.ts';
import type { ChangeIntake } from './changes/take-change.ts';
import { Configs } from './configs.ts';
import { Farewell } from './farewell.ts';
import { ArtifactFolder } from './artifacts/artifact-folder.ts';
import { sweepTexts } from './files/sent-text.ts';
import { SecretBook } from './secrets/secret-book.ts';
import { openWorkerDesk } from './link/worker-desk.ts';
import type { HookDoor, HookParts } from './hooks/hook-door.ts';
import { takeDelivery } from './hooks/take-delivery.ts';
import type { Delivery, Taken } from './hooks/delivery.ts';
import type { ControlAnswers } from './control.ts';
import { HostKeys } from './host-keys.ts';
import { keyRing } from './people/key-ring.ts';
import { masterPaths, readHostKey, readSettings } from './master-dir.ts';
import type { Listen, MasterPaths } from './master-dir.ts';
import { MasterOperator } from './master-operator.ts';
import { withinScope } from './operator-scope.ts';
import type { Asker, Operator } from './operator.ts';
import { PatchFolder } from './patches/patch-folder.ts';
import { Passes } from './people/passes.ts';
import { answerInvited } from './people/answer-invited.ts';
import { Invitations } from './people/invitations.ts';
import { Knocks } from './people/knocks.ts';
import { openPeople } from './people/people.ts';
import type { LoggedIn } from './people/people.ts';
import { approvalHolds } from './queue/approval-holds.ts';
import { AskedCollapses } from './queue/asked-collapses.ts';
import { BuildIfs } from './queue/build-ifs.ts';
import { Complaints } from './queue/complaints.ts';
import { Distributor } from './queue/distributor.ts';
import { NextBuilds } from './queue/next-builds.ts';
import { NextWorkers } from './queue/next-workers.ts';
import { OwnLocks } from './queue/own-locks.ts';
import { QueueDeadlines } from './queue/queue-deadlines.ts';
import { pausedRequests, requestsWithUpstreams } from './queue/request-holds.ts';
import { Vetoes } from './queue/vetoes.ts';
import { OutboxSender } from './reporters/outbox-sender.ts';
import { SourcePolls } from './sources/source-polls.ts';
import { takeFound } from './sources/take-found.ts';
import { Janitor } from './retention/janitor.ts';
import { Schedulers } from './schedulers/schedulers.ts';
import { TroubleWatch } from './troubles/trouble-watch.ts';
import { refusedForward } from './web-door.ts';
import type { WebDoor, WebParts } from './web-door.ts';

export interface MasterOptions {
  readonly dir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Instead of where the folder says. */
  readonly listen?: Listen;
  /** How often workers are pinged, and ping, instead of what the configuration says: for measurements. */
  readonly heartbeatMs?: number;
  /** Opens the web, which people's forwards lead to; absent: there is none. */
  readonly openWeb?: (parts: WebParts) => Promise<WebDoor>;
  /** Opens the port for webhooks where the folder says that there is one. */
  readonly openHooks?: (parts: HookParts) => Promise<HookDoor>;
  /** Answers one call of a person; must not reject. */
  readonly onPerson: (operator: Operator, asker: Asker, call: PersonCall) => Promise<void>;
  /** For tests that kill the process around a commit. */
  readonly onCommit?: StoreOptions['onCommit'];
}

export interface Master {
  readonly host: string;
  readonly port: number;
  readonly hostKeyFingerprint: string;
  /** Of the port for webhooks, if there is one. */
  readonly hooksPort?: number;
  readonly operator: Operator;
  /** Detaches: workers get a goodbye, builds go on without a master and are adopted at its next start. */
  stop(): Promise<void>;
  /** Resolves when it has stopped, also when its console told it to. */
  readonly closed: Promise<void>;
}

/** The master's own console. */
const CONSOLE: Asker = { name: 'console', role: 'operator' };
/** Lets a goodbye go out before the connection of a removed worker is cut. */
const GOODBYE_MS = 300;
const GONE = 'its key is not admitted any more';

/**
 * Puts the master together, from the ground up, and takes it apart in the opposite order. Rejects with a one-line
 * UserMistake for what a person has to set right: a folder that runs already, a host key, a configuration, the database, the
 * port.
 */
export async function openMaster(options: MasterOptions): Promise<Master> {
  const { logger } = options;
  const undo = new Disposer();
  const closed = deferred();
  const stop = async (): Promise<void> => {
    await undo.dispose();
    closed.resolve();
  };
  try {
    const parts = await openParts(options, undo, () => {
      stop().catch((error: unknown) => {
        logger.error('the master did not stop in order', { error: errorText(error) });
        closed.resolve();
      });
    });
    return { ...parts, stop, closed: closed.promise };
  } catch (error) {
    await undo.dispose();
    throw error instanceof StoreError ? new UserMistake(error.message, { cause: error }) : error;
  }
}

async function openParts(
  options: MasterOptions,
  undo: Disposer,
  stop: () => void,
): Promise<Omit<Master, 'stop' | 'closed'>> {
  const { clock, logger, heartbeatMs } = options;
  const paths = masterPaths(options.dir);
  const { web, hooks, ...settings } = await readSettings(paths);
  const listen = options.listen ?? settings.listen;
  // Undone last, so that the one who asked for the stop hears of it when the folder can be started again.
  const served: ControlServer[] = [];
  undo.add(async () => void (await Promise.all(served.map((control) => control.close()))));
  const { dir, hostKey: secretFile, controlSocket } = paths;
  // Before the folder is taken: what is wrong with the key is told in its own words.
  await readHostKey(paths);
  undo.add(await lockFolder({ noun: 'master', called: 'trunkline master', dir, secretFile, controlSocket }));
  const hostKeys = await HostKeys.open(paths);
  undo.add(() => hostKeys.close());
  const operator = deferred<Operator>();
  let isReady = false;
  const ready = async (): Promise<Operator> => {
    if (!isReady) throw new UserMistake('the master is still starting: try again');
    return await operator.promise;
  };
  const control = await serveControl({
    path: controlSocket,
    logger,
    answers: {
      status: (): ControlAnswers['status'] => ({ isReady, processId: process.pid }),
      reload: async (): Promise<ControlAnswers['reload']> => {
        return await (await ready()).reload(CONSOLE);
      },
      'hostkey-next': async (): Promise<ControlAnswers['hostkey-next']> => (await ready()).nextHostKey(CONSOLE),
      'hostkey-status': async (): Promise<ControlAnswers['hostkey-status']> => (await ready()).hostKeyStatus(CONSOLE),
      'hostkey-use': async ({ force }): Promise<ControlAnswers['hostkey-use']> =>
        (await ready()).useHostKey(CONSOLE, force === 1),
      absence: async ({ absenceMs }): Promise<ControlAnswers['absence']> => {
        return await (await ready()).announceAbsence(CONSOLE, Number(absenceMs));
      },
    },
    stop,
  });
  served.push(control);
  // Before the lock is let go: the file that goes with it must not be the next master's.
  undo.add(() => control.stopListening());

  const store = await openMasterStore(paths, options, undo);
  const bus = new LocalBus(logger);
  const codeHost = openCodeHost({ logger, bundleOf: (hash) => store.configs.bundle(hash) });
  undo.add(() => codeHost.close());
  const configs = await Configs.open({ store, codeHost, clock, file: paths.config });
  await store.workers.detachAll(clock.now());
  const people = await openPeople({ store, keysDir: paths.keysDir, clock, logger });
  undo.add(() => people.close());
  const passes = new Passes({ store, people, clock });
  await passes.dropOfTheGone();
  const invitations = await Invitations.open({ store, people, clock, logger });
  const isExpected = (name: string): boolean => configs.active.workers.some((worker) => worker.name === name);
  const knocks = new Knocks({ clock, isExpected });

  const { filesDir } = paths;
  const artifacts = await ArtifactFolder.open(paths.artifactsDir, store.artifacts);
  const desk = openWorkerDesk({
    store,
    bus,
    clock,
    logger,
    filesDir,
    masterId: await store.masterId(),
    creditPool: new CreditPool(),
    isAdmitted: (worker) => people.isAdmitted(worker),
    keyRing: keyRing(people, hostKeys, store),
    rules: {
      ruleOf: async (build) => findBuilder(await configs.get(build.configHash), build)?.whenWorkerLost ?? 'wait',
      heartbeatMs: () => configs.active.heartbeatMs,
    },
    ...(heartbeatMs !== undefined && { pace: { heartbeatMs, deadMs: LIMITS.deadMs } }),
  });
  const vetoes = new Vetoes();
  const complaints = new Complaints(clock, logger);
  const builds = new Builds({
    vetoes,
    complaints,
    store,
    bus,
    clock,
    logger,
    desk,
    codeHost,
    config: () => configs.active,
    folders: { dir: options.dir, filesDir, artifacts },
    secretBook: new SecretBook({ dir: options.dir, clock }),
    configOf: (hash) => configs.get(hash),
    isAdmitted: (worker) => people.isAdmitted(worker),
  });
  const choosers = {
    codeHost,
    store,
    complaints,
    vetoes,
    config: () => configs.active,
    nowMs: () => clock.now(),
    wake: () => distributor.wake(),
  };
  const buildIfs = new BuildIfs({ ...choosers, clock, logger });
  const ownLocks = new OwnLocks({ ...choosers, clock, logger });
  const distributor = new Distributor({
    buildIfs,
    ownLocks,
    nextBuilds: new NextBuilds(choosers),
    nextWorkers: new NextWorkers(choosers),
    store,
    bus,
    clock,
    logger,
    connected: () => desk.connected(),
    canMask: (worker) => desk.canMask(worker),
    config: () => configs.active,
    configOf: (hash) => configs.get(hash),
    holds: [approvalHolds, pausedRequests, requestsWithUpstreams(store, () => configs.active)],
    vetoes,
    nowMs: () => clock.now(),
    start: (build) => builds.start(build),
  });
  const deadlines = new QueueDeadlines({ store, bus, clock, logger, reasons: () => distributor.reasons() });
  const collapses = new AskedCollapses({ store, bus, clock, logger, codeHost, config: () => configs.active });
  undo.add(
    store.onAside((aside) => {
      if (aside.kind === 'ended') bus.publish('requests', aside.requestId);
      else builds.heed(aside.buildId, aside.reason);
    }),
  );
  const patches = await PatchFolder.open({ dir: paths.patchesDir, clock, inUse: () => store.requests.patchesInUse() });
  const farewell = new Farewell({ store, bus, clock, logger, desk, builds, people });
  const config = (): ConfigShape => configs.active;
  const schedulers = new Schedulers({ store, bus, clock, logger, config });
  const sender = new OutboxSender({ store, clock, logger, dir: options.dir, config });
  const janitor = new Janitor({ store, artifacts, clock, logger, config });
  const troubles = new TroubleWatch({ store, bus, clock, logger, desk, config, onTold: () => sender.look() });
  const intake: ChangeIntake = {
    store,
    bus,
    clock,
    filters: {
      ask: (place, args, limitMs) => codeHost.ask({ configHash: configs.active.hash, place, args, limitMs }),
      onFailed: (problem) =>
        logger.warn('the configuration cannot tell what a change is to it: it is built', { problem }),
    },
  };
  const sourcePolls = new SourcePolls({
    store,
    clock,
    logger,
    dir: options.dir,
    mirrorsDir: paths.mirrorsDir,
    config,
    take: (project, change) => takeFound(intake, project, change),
    ask: intake.filters.ask,
  });
  const masterOperator = withinScope(
    new MasterOperator({
      store,
      artifacts,
      bus,
      clock,
      intake,
      desk,
      people,
      passes,
      web,
      hostKeys,
      invitations,
      knocks,
      configs,
      builds,
      distributor,
      schedulers,
      patches,
      sourcePolls,
      troubles,
      sender,
    }),
    { store, clock, access: () => configs.access },
  );

  const webDoor = await options.openWeb?.({ settings: web, operator: masterOperator, access: passes, clock, logger });
  undo.add(() => webDoor?.close());
  // Before the configuration is made the active one: that nothing can listen there is told in time. What comes waits.
  const pollNow = (url: string): void => {
    sourcePolls.poll(url).catch((error: unknown) => {
      // The log has been told by the poll itself.
      logger.debug('a poll failed', { repository: url, error: errorText(error) });
    });
  };
  const take = async (delivery: Delivery): Promise<Taken> => {
    await operator.promise;
    return await takeDelivery({ intake, configs, logger, dir, pollNow }, delivery);
  };
  const hookDoor = hooks && (await options.openHooks?.({ settings: hooks, take, clock, logger }));
  undo.add(() => hookDoor?.close());
  const invitedDoor = { invitations, store, clock, logger, hostKeys };
  const ssh = await listenSsh<LoggedIn>({
    ...listen,
    hostKeys: [hostKeys.current.privateKey],
    clock,
    logger,
    authenticate: (name, key, address) => {
      const who = people.authenticate(name, key);
      // When the answer is on its way: the time that this takes would tell a stranger whose name is nobody's.
      if ('refused' in who && !people.isTaken(name)) setImmediate(() => knocks.note(name, key, address));
      return who;
    },
    admitInvited: (code) => invitations.admit(code),
    onInvited: (invited, call) => void answerInvited(invitedDoor, invited, call),
    onWorker: (worker, carrier) => desk.accept(worker.name, carrier, worker.loginKey),
    onForward: (_person, target) => {
      if (!webDoor) return { refused: 'this master has no web address' };
      const refused = refusedForward(web, target);
      return refused === undefined ? { take: (stream) => webDoor.accept(stream) } : { refused };
    },
    onPerson: (person, call) => {
      const asker = { name: person.name, role: person.role };
      options.onPerson(masterOperator, asker, call).catch((error: unknown) => {
        // Without its words: a secret may be among them.
        logger.error('a call was not answered', { who: asker.name, error: errorText(error) });
        call.exit(70);
      });
    },
  });
  undo.add(() => ssh.close());
  undo.add(
    hostKeys.onChange(() => {
      ssh.showHostKeys([hostKeys.current.privateKey]);
      desk.tellHostKeys();
    }),
  );
  undo.add(() => desk.close('the master stops; it will be back'));
  undo.add(() => builds.close());
  undo.add(() => deadlines.close());
  undo.add(() => collapses.close());
  undo.add(() => distributor.close());
  undo.add(() => buildIfs.close());
  undo.add(() => ownLocks.close());
  undo.add(() => farewell.close());
  undo.add(() => sourcePolls.close());
  undo.add(() => schedulers.close());
  undo.add(() => sender.close());
  undo.add(() => janitor.close());
  undo.add(() => troubles.close());
  undo.add(
    people.onRemoved((name) => {
      const cut = (): void => void ssh.closeConnectionsOf(name, GONE, (one) => people.isStillIn(one));
      // Only one of its keys went: who came with another stays, and what it runs is not touched.
      if (people.isAdmitted(name)) return cut();
      if (desk.dismiss(name, { code: 'revoked', message: GONE })) clock.after(GOODBYE_MS, cut);
      else cut();
      builds.revoked(name);
      passes.dropOfTheGone().catch((error: unknown) => {
        logger.error('links and tokens of people who are gone were not removed', { error: errorText(error) });
      });
    }),
  );

  const known = new Set(people.list().map(({ name }) => name));
  for (const line of unknownInAccess(configs.active.projects, known)) logger.warn(line);
  await configs.activate();
  // What workers may hold out of sight must be known before anything is held against them.
  await desk.prepared;
  await builds.adopt();
  distributor.open();
  deadlines.open();
  collapses.open();
  farewell.open();
  schedulers.open();
  troubles.open();
  sender.open();
  janitor.open();
  sourcePolls.open();
  operator.resolve(masterOperator);
  isReady = true;
  return {
    host: listen.host,
    port: ssh.port,
    hostKeyFingerprint: hostKeys.current.fingerprint,
    ...(hookDoor && { hooksPort: hookDoor.port }),
    operator: masterOperator,
  };
}

async function openMasterStore(paths: MasterPaths, options: MasterOptions, undo: Disposer): Promise<Store> {
  const { clock, logger, onCommit } = options;
  await mkdir(paths.filesDir, { recursive: true, mode: 0o700 });
  await sweepTexts(paths.filesDir);
  const store = await openStore({
    file: paths.database,
    archiveDir: paths.logsDir,
    logger,
    clock,
    ...(onCommit && { onCommit }),
  });
  undo.add(() => store.close());
  return store;
}
