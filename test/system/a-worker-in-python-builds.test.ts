import { afterEach, describe, expect, test } from 'vitest';
import { LongBuild } from '../support/long-build.ts';

let build: LongBuild | undefined;

afterEach(async () => {
  await build?.close();
  build = undefined;
});

/** What `docs/examples/worker.py` is told more, by the way it comes. */
const WAYS = { mux: [], channels: ['--channels'] } as const;

describe.each(Object.entries(WAYS))('the worker in Python, over %s', (_way, python) => {
  test('is killed and cut off in mid-build, and no byte of the log is lost or comes twice', async () => {
    build = await LongBuild.create({ bytesPerSecond: 1_000_000, isRelayed: true, python });
    await build.begin();
    await build.worker.end('SIGKILL');
    await build.startWorker();
    await build.storesMore();
    build.relay.cut();
    await build.storesMore();
    build.relay.cutAfter(300_000, 'there');
    await build.storesMore((await build.stored()) + 600_000);
    await build.worker.end('SIGKILL');
    await build.letGo();
    await build.commandHasEnded();
    await build.startWorker();
    await build.endsWell();
    expect(build.master.stderr()).not.toMatch(/ error /);
  });
});
