import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuildView } from '../../src/master/views/build.ts';
import { Farm } from '../support/farm.ts';
import type { Daemon } from '../support/farm.ts';
import { faultStream } from '../support/fault-stream.ts';
import type { FaultStream } from '../support/fault-stream.ts';
import { Machine } from '../support/machine.ts';
import { until } from '../support/until.ts';

const whyNot = await Machine.whyNot();
if (whyNot !== undefined) process.stderr.write(`skipped: steps that restart the machine: ${whyNot}\n`);

let farm: Farm;
let relay: FaultStream;
let master: Daemon;
let machine: Machine;

/** Each command notes its start in a file of its own: two files for one are two starts. */
function config(dir: string): string {
  const start = `mktemp -q ${dir}/starts/$ROUND.$STEP.XXXXXX > /dev/null`;
  const going = `${start}; echo going down; touch ${dir}/asked-$ROUND`;
  return `
import { builder, defineMaster, force, project, reboot, sh, step, worker } from 'trunkline';
const round = (name, ctx) => ({ env: { ROUND: ctx.property('round'), STEP: name } });
const run = (name, command) => step(name, async (ctx) => {
  const { ok, summary } = await ctx.run(command, round(name, ctx));
  return ok ? 'success' : { result: 'failure', summary };
});
const restart = (command, within) => step('restart', (ctx) => ctx.reboot(command, { within, ...round('restart', ctx) }));
const before = run('before', '${start}; echo $ROUND > kept');
const after = run('after', '${start}; grep -qx "$ROUND" kept && cat /proc/sys/kernel/random/boot_id');
export default defineMaster({
  title: 'Restart',
  workers: [worker('w')],
  projects: [project('p', {
    builders: [
      builder('cut', { workers: ['w'], steps: [before, restart('${going}; exec sleep 1000', '5m'), after] }),
      builder('early', { workers: ['w'], steps: [before, restart('${going}', '5m'), after] }),
      builder('unasked', { workers: ['w'], steps: [run('make', '${going}; exec sleep 1000'), after] }),
      builder('away', { workers: ['w'], steps: [restart('${going}; exec sleep 1000', '3s'), after] }),
      builder('same', { workers: ['w'], steps: [reboot('restart', 'true', { within: '1s' }), after] }),
      builder('failing', { workers: ['w'], steps: [reboot('restart', 'echo may not; exit 3'), after] }),
    ],
    schedulers: [force()],
  })],
});
`;
}

describe.skipIf(whyNot !== undefined)('a step restarts the machine', () => {
  beforeAll(async () => {
    farm = await Farm.create();
    await mkdir(join(farm.dir, 'starts'));
    await farm.config(config(farm.dir));
    master = await farm.startMaster();
    relay = await faultStream(farm.port, '127.0.0.2');
    await farm.addWorker('w', relay.port);
    machine = new Machine(farm, 'w');
    await machine.boot();
  });
  afterAll(async () => {
    await machine.powerOff();
    await farm.close();
    await relay.close();
  });

  /** Begins a build and waits until its command has asked for the restart. */
  async function begin(builder: string, round: string): Promise<void> {
    expect((await farm.ssh(['force', `p/${builder}`, '-p', `round=${round}`])).status).toBe(0);
    await until('the restart is asked for', () => existsSync(join(farm.dir, `asked-${round}`)));
  }

  async function killMaster(): Promise<void> {
    await master.end('SIGKILL');
    master = await farm.startMaster();
  }

  async function finished(): Promise<BuildView> {
    return await until('the build is finished', async () => {
      const [newest] = await farm.list();
      return newest?.state === 'finished' ? await farm.view(newest.id) : undefined;
    });
  }

  async function starts(round: string): Promise<readonly string[]> {
    const names = (await readdir(join(farm.dir, 'starts'))).map((name) => name.split('.'));
    return names.flatMap(([of, step = '']) => (of === round ? [step] : [])).toSorted();
  }

  /** Each command ran once, and the last one on the new boot, in the folder as it was. */
  async function goesOn(round: string): Promise<void> {
    const build = await finished();
    expect(build, JSON.stringify(build)).toMatchObject({ result: 'success' });
    expect(await starts(round)).toEqual(['after', 'before', 'restart']);
    expect((await farm.log(build.id, 'restart')).toString()).toBe('going down\n');
    expect((await farm.log(build.id, 'after')).toString().trim()).toBe(machine.bootId);
  }

  test('by a command that is cut off with it, and the build goes on after it', async () => {
    await begin('cut', 'plain');
    await machine.powerOff();
    await machine.boot();
    await goesOn('plain');
  });

  test('by a command that only orders it', async () => {
    await begin('early', 'early');
    await farm.ssh(['status']);
    await machine.powerOff();
    await machine.boot();
    await goesOn('early');
  });

  test('and its old connection says nothing more, without being closed', async () => {
    await begin('cut', 'silent');
    relay.abandon();
    await machine.powerOff();
    await machine.boot();
    await goesOn('silent');
  });

  test('and the master is killed while the command runs, while the machine is off, and when it is back', async () => {
    await begin('cut', 'killed');
    await killMaster();
    await farm.workerIs('w', 'connected');
    await machine.powerOff();
    await killMaster();
    await master.end('SIGKILL');
    await machine.boot();
    master = await farm.startMaster();
    await goesOn('killed');
  });

  test('and the master is killed when the command has ended, before the machine goes down', async () => {
    await begin('early', 'ended');
    await killMaster();
    await farm.workerIs('w', 'connected');
    await killMaster();
    await machine.powerOff();
    await machine.boot();
    await goesOn('ended');
  });

  test('but where no step asked for it, the command that ran is an exception', async () => {
    await begin('unasked', 'unasked');
    await machine.powerOff();
    await machine.boot();
    const build = await finished();
    expect(build.result).toBe('exception');
    expect(build.summary).toContain('the machine of worker w was restarted while the command ran');
    expect(await starts('unasked')).toEqual(['make']);
  });

  test('and does not come back in time', async () => {
    await begin('away', 'away');
    await machine.powerOff();
    const build = await finished();
    expect(build.result).toBe('exception');
    expect(build.summary).toContain('worker w was not back within 3s');
    await machine.boot();
  });

  test('by a command that does not do it', async () => {
    const build = await farm.build('p/same', '-p', 'round=same');
    expect(build.result).toBe('exception');
    expect(build.summary).toContain(
      'the machine of worker w is still the same boot 1s after the order: its command ended (exit 0)',
    );
    expect(await starts('same')).toEqual([]);
  });

  test('by a command that fails', async () => {
    const build = await farm.build('p/failing', '-p', 'round=failing');
    expect(build).toMatchObject({ result: 'failure', summary: 'restart: reboot: exit 3' });
    expect((await farm.log(build.id, 'restart')).toString()).toBe('may not\n');
  });

  test('but the build is stopped while the machine is awaited', async () => {
    await begin('early', 'stopped');
    const [build] = await farm.list();
    expect((await farm.ssh(['stop', String(build?.id)])).status).toBe(0);
    expect((await finished()).result).toBe('cancelled');
    expect(await starts('stopped')).toEqual(['before', 'restart']);
  });
});
