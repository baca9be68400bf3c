import { describe, expect, it } from 'vitest';
import { deferred } from '../../../src/base/deferred.ts';
import { Disposer } from '../../../src/base/disposer.ts';
import { Signal } from '../../../src/base/signal.ts';

describe('a disposer', () => {
  it('undoes newest first, waiting for each, once', async () => {
    const disposer = new Disposer();
    const undone: string[] = [];
    const gate = deferred();
    disposer.add(() => void undone.push('oldest'));
    disposer.add(async () => {
      await gate.promise;
      undone.push('newest');
    });
    const all = Promise.all([disposer.dispose(), disposer.dispose()]);
    expect(undone).toEqual([]);
    gate.resolve();
    await all;
    expect(undone).toEqual(['newest', 'oldest']);
    expect(disposer.isDisposed).toBe(true);
  });

  it('goes on past an undo that fails, and tells of all failures at the end', async () => {
    const disposer = new Disposer();
    const undone: string[] = [];
    disposer.add(() => void undone.push('a'));
    disposer.add(() => Promise.reject(new Error('one')));
    disposer.add(() => {
      throw new Error('two');
    });
    const error = await disposer.dispose().catch((error: unknown) => error);
    expect(error).toBeInstanceOf(AggregateError);
    expect((error as AggregateError).errors.map(String)).toEqual(['Error: two', 'Error: one']);
    expect(undone).toEqual(['a']);
  });

  it('undoes what is added late', async () => {
    const disposer = new Disposer();
    await disposer.dispose();
    const undone = deferred<string>();
    disposer.add(() => undone.resolve('late'));
    expect(await undone.promise).toBe('late');
  });
});

describe('a signal', () => {
  it('reaches every listener though one throws or leaves meanwhile', () => {
    const signal = new Signal<number>();
    const heard: string[] = [];
    signal.on((n) => {
      leave();
      heard.push(`a${n}`);
    });
    signal.on(() => {
      throw new Error('deaf');
    });
    const leave = signal.on((n) => heard.push(`b${n}`));
    expect(() => signal.emit(1)).toThrow(AggregateError);
    expect(heard).toEqual(['a1', 'b1']);
    expect(signal.size).toBe(2);
  });
});
