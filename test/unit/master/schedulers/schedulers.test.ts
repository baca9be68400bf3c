import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { after, anyBranch, force, nightly, onChange, periodic } from '../../../../src/index.ts';
import type { Store } from '../../../../src/store/store.ts';
import { TempStore } from '../../../support/temp-store.ts';
import { until } from '../../../support/until.ts';
import { SchedulerStand, shapeOf } from './scheduler-stand.ts';
import type { Projects } from './scheduler-stand.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

let temp: TempStore;
let store: Store;
beforeEach(async () => {
  temp = await TempStore.make();
  store = await temp.open();
});
afterEach(() => temp.remove());

const stand = (projects: Projects): SchedulerStand => new SchedulerStand(store, temp.clock, projects);
/** The next moment of the clock at which the minute of the hour is this. */
const toMinute = (minute: number): number => {
  const { clock } = temp;
  const inHour = clock.now() % HOUR;
  return (minute * MINUTE - inHour + HOUR) % HOUR;
};

describe('a quiet period', () => {
  it('joins the changes of a branch when no important one came for so long: the newest revision, with all of them', async () => {
    const on = stand({ p: [onChange({ branch: 'main', quiet: '1m', fileIsImportant: '**/*.c' })] });
    expect(await on.change({ files: ['a.c'], author: 'ann' })).toMatchObject({ requests: [], waitsFor: ['onChange'] });
    temp.clock.advance(50_000);
    await on.change({ files: ['b.c'], author: 'bob', properties: { n: 1 } });
    temp.clock.advance(50_000);
    await on.change({ files: ['README'], author: 'eve', properties: { n: 2 } });
    temp.clock.advance(9_999);
    await on.look();
    expect(await on.sets()).toEqual([]);
    temp.clock.advance(1);
    await on.look();
    await on.look();
    expect(await on.sets()).toEqual(['onChange: b c']);
    const [request] = await on.waiting();
    expect(request).toMatchObject({ reason: '3 changes of main', owner: 'dora', properties: { n: 2 } });
    expect(request?.source).toEqual({ repository: '/p.git', branch: 'main', revision: 'r3' });
    const authors = (await store.changes.ofRequest(request?.id ?? 0)).map(({ author }) => author);
    expect(authors).toEqual(['ann', 'bob', 'eve']);
  });

  it('is kept for each branch by itself', async () => {
    const on = stand({ p: [anyBranch({ quiet: '1m' })] });
    await on.change({ branch: 'one' });
    temp.clock.advance(40_000);
    await on.change({ branch: 'two' });
    await on.change({ branch: 'two' });
    temp.clock.advance(20_000);
    await on.look();
    expect((await on.waiting()).map(({ source, reason }) => [source.branch, reason])).toEqual([
      ['one', 'a change of one'],
      ['one', 'a change of one'],
    ]);
    temp.clock.advance(40_000);
    await on.look();
    expect(await on.sets()).toEqual(['anyBranch: b c', 'anyBranch: b c']);
    expect((await on.waiting()).at(-1)).toMatchObject({ reason: '2 changes of two', source: { branch: 'two' } });
  });

  it('ends at most so long after the first important change, however busy the branch is', async () => {
    const on = stand({ p: [onChange({ branch: 'main', quiet: '1m', quietAtMost: '3m', builders: ['b'] })] });
    for (let n = 0; n < 6; n++) {
      await on.change();
      await on.look();
      expect(await on.sets()).toEqual([]);
      temp.clock.advance(30_000);
    }
    await on.look();
    expect(await on.sets()).toEqual(['onChange: b']);
    expect((await on.waiting())[0]).toMatchObject({ reason: '6 changes of main' });
  });

  it('does not begin with changes that are not important, and leaves them out if it is told to', async () => {
    const rule = { branch: 'main', quiet: '1m', fileIsImportant: '*.c' } as const;
    const on = stand({ p: [onChange(rule), onChange({ ...rule, name: 'strict', onlyImportant: true })] });
    expect(await on.change({ files: ['README'] })).toMatchObject({ waitsFor: ['onChange'] });
    temp.clock.advance(HOUR);
    await on.look();
    expect(await on.sets()).toEqual([]);
    await on.change({ files: ['a.c'] });
    temp.clock.advance(MINUTE);
    await on.look();
    const reasons = new Map((await on.waiting()).map(({ scheduler, reason }) => [scheduler, reason]));
    expect([...reasons]).toEqual([
      ['onChange', '2 changes of main'],
      ['strict', 'a change of main'],
    ]);
  });

  it('is no longer than it was when the clock is put back', async () => {
    const on = stand({ p: [onChange({ branch: 'main', quiet: '1m' })] });
    await on.change();
    temp.clock.stepWall(-HOUR);
    await on.look();
    expect(await on.sets()).toEqual([]);
    temp.clock.advance(MINUTE);
    await on.look();
    expect(await on.sets()).toEqual(['onChange: b c']);
  });

  it('is over at once when a reload takes it away', async () => {
    const on = stand({ p: [onChange({ branch: 'main', quiet: '1h' })] });
    await on.change();
    on.config = shapeOf({ p: [onChange({ branch: 'main' })] });
    await on.look();
    expect(await on.sets()).toEqual(['onChange: b c']);
  });
});

describe('without a quiet period', () => {
  it('each important change is built at once, with the others before it', async () => {
    const on = stand({ p: [anyBranch({ fileIsImportant: '*.c' })] });
    expect(await on.change({ files: ['README'] })).toMatchObject({ requests: [], waitsFor: ['anyBranch'] });
    expect((await on.change({ files: ['a.c'] })).requests).toHaveLength(2);
    expect((await on.change({ files: ['b.c'] })).requests).toHaveLength(2);
    const waiting = await on.waiting();
    const changes = await Promise.all(waiting.map(async ({ id }) => (await store.changes.ofRequest(id)).length));
    expect(changes).toEqual([2, 2, 1, 1]);
  });
});

describe('what goes by the clock', () => {
  it('builds the tip of its branch at its times, with its properties, priority and reason', async () => {
    const own = { branch: 'stable', properties: { full: true }, priority: 3, zone: 'Europe/Berlin' };
    const on = stand({ p: [nightly('30 * * * *', own), nightly('30 * * * *', { name: 'why', reason: 'because' })] });
    await on.look();
    temp.clock.advance(toMinute(30));
    await on.look();
    await on.look();
    expect(await on.sets()).toEqual(['nightly: b c', 'why: b c']);
    const [first, , other] = await on.waiting();
    expect(first).toMatchObject({
      owner: 'p/nightly',
      reason: expect.stringMatching(/^due at \d\d:30 UTC$/) as string,
      priority: 3,
      properties: { full: true },
      propertySources: { full: 'scheduler' },
      source: { repository: '/p.git', branch: 'stable' },
    });
    expect(first?.source.revision).toBeUndefined();
    expect(other).toMatchObject({ reason: 'because', source: { branch: 'main' } });
    temp.clock.advance(HOUR);
    await on.look();
    expect(await on.sets()).toHaveLength(4);
  });

  it('builds only what changed when it is told to: the newest change, and all since the last time', async () => {
    const on = stand({ p: [periodic('1h', { onlyIfChanged: true, fileIsImportant: '*.c' })] });
    await on.look();
    await on.change({ files: ['README'] });
    await on.change({ branch: 'other', files: ['a.c'] });
    temp.clock.advance(HOUR);
    await on.look();
    expect(await on.sets()).toEqual([]);
    expect(await on.change({ files: ['a.c'] })).toMatchObject({ waitsFor: ['periodic'] });
    await on.look();
    expect(await on.sets()).toEqual([]);
    temp.clock.advance(HOUR);
    await on.look();
    await on.look();
    expect(await on.sets()).toEqual(['periodic: b c']);
    const [request] = await on.waiting();
    expect(request).toMatchObject({
      reason: 'every 1h',
      owner: 'p/periodic',
      source: { branch: 'main', revision: 'r3' },
    });
    expect(await store.changes.ofRequest(request?.id ?? 0)).toHaveLength(2);
    temp.clock.advance(HOUR);
    await on.look();
    expect(await on.sets()).toHaveLength(1);
  });

  it('builds at the times to force also when nothing changed', async () => {
    const on = stand({ p: [nightly('0,30 * * * *', { onlyIfChanged: true, forceAt: '30 * * * *' })] });
    temp.clock.advance(toMinute(45));
    await on.look();
    temp.clock.advance(toMinute(0));
    await on.look();
    expect(await on.sets()).toEqual([]);
    temp.clock.advance(30 * MINUTE);
    await on.look();
    expect(await on.sets()).toEqual(['nightly: b c']);
  });

  it('goes off by itself while the master is up', async () => {
    const on = stand({ p: [periodic('1h')] });
    const loop = on.loop();
    loop.open();
    try {
      const sets = (count: number) => until(`${count} sets`, async () => (await on.sets()).length === count);
      await sets(1);
      for (const count of [2, 3]) {
        // The timer of the next round is set when the round is over.
        await until(
          'its timer is set',
          async () => ((await store.schedulers.list())[0]?.nextAtMs ?? 0) > temp.clock.now(),
        );
        temp.clock.advance(HOUR);
        await sets(count);
      }
    } finally {
      await loop.close();
    }
  });
});

describe('what follows another scheduler', () => {
  const chain: Projects = {
    p: [onChange({ branch: 'main' }), after('onChange', { builders: ['c'] })],
    q: [after('p/after', { name: 'last', builders: ['b'], properties: { x: 1 } })],
  };

  it('builds what was built there, at the revision that it really had, when all of it has succeeded', async () => {
    const on = stand(chain);
    await on.look();
    await on.change({ author: 'ann' });
    await on.build('warnings', 'full-hash-of-r1');
    await on.look();
    await on.look();
    expect(await on.sets()).toEqual(['after: c']);
    const [request] = await on.waiting();
    expect(request).toMatchObject({
      owner: 'p/after',
      reason: 'after p/onChange',
      source: { repository: '/p.git', branch: 'main', revision: 'full-hash-of-r1' },
    });
    expect(await store.changes.ofRequest(request?.id ?? 0)).toMatchObject([{ author: 'ann' }]);
    await on.build('success');
    await on.look();
    const [last] = await on.waiting();
    expect(last).toMatchObject({ project: 'q', builder: 'b', scheduler: 'last', properties: { x: 1 } });
    expect(last?.source).toMatchObject({ revision: 'full-hash-of-r1' });
  });

  it('does not follow what failed, what was cancelled, or what came before it', async () => {
    const on = stand({ p: [onChange({ branch: 'main' })] });
    await on.change();
    on.config = shapeOf(chain);
    await on.look();
    await on.build('success');
    await on.change();
    await on.build('failure');
    await on.change();
    const [first, second] = await on.waiting();
    await store.requests.cancel(first?.id ?? 0, 'no', 1);
    await on.look();
    expect(await on.waiting()).toEqual([second]);
    await on.build('success');
    await on.look();
    expect(await on.sets()).toEqual([]);
  });

  it('builds its own tip after a project of another repository', async () => {
    const on = stand(chain);
    const [p, q] = on.config.projects;
    if (!p || !q) throw new Error('two projects are there');
    const elsewhere = { ...q, source: { kind: 'git' as const, url: '/q.git' }, schedulers: [...q.schedulers] };
    on.config = { ...on.config, projects: [p, elsewhere] };
    await on.look();
    await on.change();
    await on.build('success', 'abc');
    await on.look();
    await on.build('success', 'abc');
    await on.look();
    const [last] = await on.waiting();
    expect(last).toMatchObject({ project: 'q', source: { repository: '/q.git' } });
    expect(last?.source.revision).toBeUndefined();
    expect(await store.changes.ofRequest(last?.id ?? 0)).toEqual([]);
  });

  it('is woken by the end of the last build', async () => {
    const on = stand(chain);
    const loop = on.loop();
    loop.open();
    try {
      await until('it follows', async () => (await store.schedulers.list()).length === 2);
      await on.change();
      await on.build('success');
      await until('what follows waits', async () => (await on.sets()).join() === 'after: c');
    } finally {
      await loop.close();
    }
  });
});

describe('the rest of a configuration', () => {
  it('goes on when one scheduler cannot be seen to', async () => {
    const on = stand({ p: [nightly('0 3 * * *'), periodic('1h')] });
    const [p] = on.config.projects;
    if (!p) throw new Error('a project is there');
    // As by a zone that the next version of Node does not know any more.
    const schedulers = p.schedulers.map((one) => (one.kind === 'nightly' ? { ...one, zone: 'Mars/Base' } : one));
    on.config = { ...on.config, projects: [{ ...p, schedulers }] };
    await on.look();
    await on.look();
    expect(await on.sets()).toEqual(['periodic: b c']);
  });

  it('forgets what waited for a scheduler that is gone, and keeps who switched it off', async () => {
    const on = stand({ p: [onChange({ branch: 'main', quiet: '1m' }), nightly('0 3 * * *'), force()] });
    await on.look();
    await on.change();
    await store.schedulers.switch({ project: 'p', scheduler: 'nightly' }, { by: 'ann', sinceMs: 1 }, false);
    on.config = shapeOf({ p: [force()] });
    await on.look();
    expect(await store.schedulers.pending()).toEqual([]);
    expect(await store.schedulers.list()).toEqual([
      { project: 'p', scheduler: 'nightly', off: { by: 'ann', sinceMs: 1 } },
    ]);
  });

  it('leaves alone what is switched off, and begins anew when it is switched on', async () => {
    const name = { project: 'p', scheduler: 'nightly' };
    const on = stand({ p: [nightly('30 * * * *')] });
    await on.look();
    await store.schedulers.switch(name, { by: 'ann', sinceMs: temp.clock.now() }, false);
    temp.clock.advance(5 * HOUR);
    await on.look();
    await store.schedulers.switch(name, undefined, false);
    await on.look();
    expect(await on.sets()).toEqual([]);
    temp.clock.advance(toMinute(30));
    await on.look();
    expect(await on.sets()).toEqual(['nightly: b c']);
  });
});
