import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mutation } from './mutations.ts';

/** Copies of a program, each with one rule broken. */
export interface Mutants {
  /** The copy's path. Rejects when the text that it replaces is not there exactly once. */
  make(mutation: Mutation): Promise<string>;
  close(): Promise<void>;
}

export async function mutantsOf(program: string): Promise<Mutants> {
  const dir = await mkdtemp(join(tmpdir(), 'tl-mutants-'));
  const text = await readFile(program, 'utf8');
  return {
    async make({ id, replace, by }) {
      const pieces = text.split(replace);
      if (pieces.length !== 2) {
        throw new Error(
          `the mutation for ${id} wants this text once, it is there ${pieces.length - 1} times: ${replace}`,
        );
      }
      const path = join(dir, `${id}.py`);
      await writeFile(path, pieces.join(by));
      return path;
    },
    close: () => rm(dir, { recursive: true, force: true }),
  };
}
