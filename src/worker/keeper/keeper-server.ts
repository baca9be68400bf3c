import { statSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { errorText } from '../../base/errors.ts';
import { CommandGroups } from './command-groups.ts';
import { CommandHost } from './command-host.ts';
import { isSame, NOTHING_HELD } from './held-back.ts';
import type { KeeperLimits } from './keeper-limits.ts';
import { KEEPER_VERSION, readLines, sendLine } from './order-line.ts';
import type { Order, Report } from './order-line.ts';
import { ProgressNotice } from './progress-notice.ts';
import { identityOf } from './process-table.ts';

export interface KeeperServerOptions {
  readonly spoolDir: string;
  readonly socketPath: string;
  readonly limits: KeeperLimits;
  readonly warn: (message: string) => void;
}

const TICK_MS = 200;
/** Files tell an order to a keeper whose socket is out of reach, so they are looked for now and then. */
const ORDER_TICKS = 5;
/** A daemon that started this keeper comes soon; one that restarts may need a moment. */
const FIRST_VISIT_MS = 30_000;
const IDLE_MS = 2_000;

/** Serves daemons until its last command ended and nobody talks to it, or until its spool is gone. */
export async function serveKeeper(options: KeeperServerOptions): Promise<void> {
  const { spoolDir, socketPath, limits, warn } = options;
  const sockets = new Set<Socket>();
  const daemons = new Map<Socket, number>();
  const tell = (report: Report): void => {
    for (const socket of sockets) sendLine(socket, report);
  };
  const notice = new ProgressNotice((progress) => tell({ progress }));
  const host = new CommandHost({
    spoolDir,
    limits,
    groups: await CommandGroups.open(warn),
    onProgress: (command, isFinished) => notice.add(command, isFinished),
    warn,
  });
  const spool = statSync(spoolDir);
  let lastVisitMs = performance.now() + FIRST_VISIT_MS - IDLE_MS;
  let isOutdated = false;
  let heldBack = NOTHING_HELD;

  /**
   * A daemon that was killed may have left an order in its socket. The next one must not look at the spool before that is
   * carried out: it would tell the master of a command that never was, and the command would come to life behind its back.
   */
  const settleOthers = async (daemon: number): Promise<void> => {
    const others = Array.from(daemons).filter(([, pid]) => pid !== daemon);
    await Promise.all(others.map(([socket]) => closed(socket)));
    await host.settled();
  };
  const obey = async (socket: Socket, order: Order): Promise<void> => {
    switch (order.order) {
      case 'hello':
        if (order.version !== KEEPER_VERSION) isOutdated = true;
        if (order.daemon === undefined) return;
        daemons.set(socket, order.daemon);
        return await settleOthers(order.daemon);
      case 'start':
        return host.start(order.spec);
      case 'end':
        return host.end(order.command, order.isForgotten);
      case 'room':
        return host.room(order.command);
    }
  };
  const answer = async (socket: Socket, order: Order): Promise<void> => {
    try {
      await obey(socket, order);
      const keeper = order.order === 'hello' ? { keeper: identityOf(process.pid) } : {};
      sendLine(socket, { id: order.id, ...keeper });
      if (order.order === 'hello') sendLine(socket, { heldBack });
    } catch (error) {
      sendLine(socket, { id: order.id, error: errorText(error) });
    }
  };

  const server = createServer((socket) => {
    sockets.add(socket);
    // A daemon that dies leaves a broken pipe: nothing to do but to forget it.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      daemons.delete(socket);
      lastVisitMs = performance.now();
    });
    readLines(socket, (value) => void answer(socket, value as Order));
  });
  server.listen(socketPath);
  await once(server, 'listening');
  await host.prepare();

  await new Promise<void>((resolve) => {
    let ticks = 0;
    const timer = setInterval(() => {
      host.lookAfterRoom();
      const heldNow = host.heldBack();
      if (!isSame(heldNow, heldBack)) tell({ heldBack: heldNow });
      heldBack = heldNow;
      if (++ticks % ORDER_TICKS === 0) host.lookForOrders();
      host.endUnseen();
      const now = statSync(spoolDir, { throwIfNoEntry: false });
      const isGone = now?.ino !== spool.ino || now.dev !== spool.dev;
      if (isGone) host.endAll();
      if (!host.isIdle) return;
      const isLonely = sockets.size === 0 && performance.now() - lastVisitMs > IDLE_MS;
      if (!isGone && !isOutdated && !isLonely) return;
      clearInterval(timer);
      resolve();
    }, TICK_MS);
  });
  server.close();
  for (const socket of sockets) socket.destroy();
  await host.close();
}

/** Whatever it ends with: what came before the end has been handed on by then. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}
