import { beforeEach, expect, it } from 'vitest';
import type { NewBuildSet, Store } from '../../../src/store/store.ts';
import { eachStore } from '../../support/each-store.ts';
import { buildSet } from '../../support/temp-store.ts';

eachStore('changes', (current) => {
  let store: Store;
  beforeEach(() => {
    store = current.store;
  });

  const taker = (set: NewBuildSet) => ({ scheduler: 's', isImportant: true, set });
  const change = {
    project: 'p',
    repository: 'https://git.example.org/x.git',
    branch: 'main',
    revision: 'abc',
    committer: 'Zoë <z@example.org>',
    comments: 'Fix \u0000 it',
    revlink: 'https://git.example.org/x/commit/abc',
    codebase: 'lib',
    files: ['a', 'b\nc'],
    filesLeftOut: 3,
    properties: { n: 1 },
    atMs: 7,
    sentBy: 'dora',
  };

  it('stores a change once by its key, with its builds or not at all', async () => {
    const sent = await Promise.all(
      Array.from({ length: 20 }, () => store.changes.add(change, 'k', [taker(buildSet('b', 'c'))])),
    );
    const [first] = sent.filter(({ isNew }) => isNew);
    expect(sent.filter(({ isNew }) => isNew)).toHaveLength(1);
    expect(first?.requests).toHaveLength(2);
    for (const one of sent) expect(one).toEqual({ ...first, isNew: one.isNew });
    const pending = await store.requests.pending();
    expect(pending.map(({ id }) => id)).toEqual(first?.requests);
    expect(await store.changes.ofRequest(pending[1]!.id)).toEqual([{ ...change, id: first?.change.id }]);
    const wrong = { ...buildSet('b'), priority: null } as unknown as ReturnType<typeof buildSet>;
    await expect(store.changes.add(change, 'other', [taker(buildSet('c')), taker(wrong)])).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(await store.changes.list({ limit: 10 })).toHaveLength(1);
    expect((await store.changes.add(change, 'other', [])).isNew).toBe(true);
    expect((await store.changes.add({ ...change, project: 'q' }, 'k', [])).isNew).toBe(true);
  });

  it('lists the newest first, of one project or of all but some', async () => {
    for (const project of ['p', 'q', 'p']) {
      await store.changes.add({ ...change, project, author: 'Anna' }, String(Math.random()), []);
    }
    const projects = async (filter: object): Promise<readonly string[]> =>
      (await store.changes.list({ limit: 10, ...filter })).map(({ id, project }) => `${project}${id}`);
    expect(await projects({})).toEqual(['p3', 'q2', 'p1']);
    expect(await projects({ limit: 1 })).toEqual(['p3']);
    expect(await projects({ project: 'p' })).toEqual(['p3', 'p1']);
    expect(await projects({ without: ['p'] })).toEqual(['q2']);
    expect(await projects({ project: 'p', without: ['p'] })).toEqual([]);
    expect((await store.changes.list({ limit: 1 }))[0]).toMatchObject({ ...change, author: 'Anna' });
  });
});
