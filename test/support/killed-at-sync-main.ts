import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { KillSwitch } from './kill-switch.ts';

/**
 * Loaded ahead of a worker's program (`node --import`), and so of its keepers: each is killed around one of its durable
 * writes, a sync or a rename, when the file `KILL_WORKER` or `KILL_KEEPER` says so.
 */
const isKeeper = process.argv[1]?.endsWith('keeper-main.js') ?? false;
const kill = new KillSwitch(process.env[isKeeper ? 'KILL_KEEPER' : 'KILL_WORKER'] ?? '');

type Callback = (error: NodeJS.ErrnoException | null) => void;
for (const name of ['fsync', 'fdatasync'] as const) {
  const real = fs[name].bind(fs) as (fd: number, done: Callback) => void;
  const watched = (fd: number, done: Callback): void => {
    const n = kill.before();
    real(fd, (error) => {
      kill.after(n);
      done(error);
    });
  };
  Object.assign(fs, { [name]: watched });
}
for (const name of ['fsyncSync', 'fdatasyncSync', 'renameSync'] as const) {
  const real = fs[name].bind(fs) as (...args: unknown[]) => void;
  const watched = (...args: unknown[]): void => {
    const n = kill.before();
    real(...args);
    kill.after(n);
  };
  Object.assign(fs, { [name]: watched });
}
const handle = await fs.promises.open('/dev/null', 'r');
watchPromises(Object.getPrototypeOf(handle) as object, ['sync', 'datasync']);
await handle.close();
watchPromises(fs.promises, ['rename']);
syncBuiltinESMExports();

function watchPromises(owner: object, names: readonly string[]): void {
  for (const name of names) {
    const real = Reflect.get(owner, name) as (...args: unknown[]) => Promise<void>;
    const watched = async function (this: unknown, ...args: unknown[]): Promise<void> {
      const n = kill.before();
      await real.apply(this, args);
      kill.after(n);
    };
    Object.assign(owner, { [name]: watched });
  }
}
