import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../base/clock.ts';
import type { Disposer } from '../../base/disposer.ts';
import { openLogger } from '../../base/logger.ts';
import { answerCall } from '../../frontdoor/answer-call.ts';
import { openWeb } from '../../web/open-web.ts';
import { initMaster } from '../../master/init-master.ts';
import { openMaster } from '../../master/master.ts';
import type { Master } from '../../master/master.ts';
import { makeKeyPair } from '../../transport/keys.ts';
import { initWorker } from '../../worker/init-worker.ts';
import { DEMO_WORKERS, demoConfig } from './demo-config.ts';

/** The person of the demo. */
export const DEMO_PERSON = 'you';

export interface DemoFarm {
  readonly dir: string;
  readonly master: Master;
  /** The person's private key. */
  readonly keyFile: string;
}

/** Makes and starts a master (in this process) and two workers (processes of their own); `undo` takes all away again. */
export async function startDemoFarm(root: string, program: string, undo: Disposer): Promise<DemoFarm> {
  const dir = await mkdtemp(join(tmpdir(), 'trunkline-demo-'));
  undo.add(() => rm(dir, { recursive: true, force: true, maxRetries: 10 }));
  const key = makeKeyPair(DEMO_PERSON);
  const keyFile = join(dir, 'key');
  await writeFile(keyFile, key.privateKey, { mode: 0o600 });
  const masterDir = join(dir, 'master');
  await initMaster(masterDir, {
    listen: { host: '127.0.0.1', port: 0 },
    operator: { name: DEMO_PERSON, key: key.publicKeyLine },
  });
  await writeFile(join(masterDir, 'trunkline.config.ts'), demoConfig(root));

  const logger = openLogger({ level: 'warn' });
  undo.add(() => logger.end());
  const clock = systemClock;
  const master = await openMaster({
    dir: masterDir,
    clock,
    logger,
    openWeb,
    onPerson: (operator, asker, call) => answerCall({ operator, clock, logger }, asker, call),
  });
  undo.add(() => master.stop());
  for (const name of DEMO_WORKERS) await startDemoWorker(name, dir, master, program, undo);
  return { dir, master, keyFile };
}

async function startDemoWorker(
  name: string,
  dir: string,
  master: Master,
  program: string,
  undo: Disposer,
): Promise<void> {
  const workerDir = join(dir, name);
  const { publicKeyLine } = await initWorker({
    dir: workerDir,
    name,
    masters: [`127.0.0.1:${master.port}`],
    hostKeys: [master.hostKeyFingerprint],
  });
  await writeFile(join(dir, 'master', 'keys', 'workers', `${name}.pub`), `${publicKeyLine}\n`);
  const child = spawn(process.execPath, [program, 'worker', 'start', workerDir], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, TRUNKLINE_LOG: 'error' },
  });
  const gone = once(child, 'exit');
  undo.add(async () => {
    child.kill('SIGTERM');
    await gone;
  });
}
