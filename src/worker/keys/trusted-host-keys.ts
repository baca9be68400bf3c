import { readFile, stat } from 'node:fs/promises';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { Gate } from '../../base/gate.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { parseWorkerFile } from '../worker-dir.ts';
import type { WorkerDir } from '../worker-dir.ts';

export interface HostKeyNews {
  /** Fingerprints whose owner has proven that they are its. */
  readonly proven: readonly string[];
  /** What the master uses no more. */
  readonly retired: readonly string[];
  /** What the present connection was opened with; undefined where that is not known. */
  readonly shown: string | undefined;
}

/** What is trusted after the news. The old keys go only when the new one was seen; never more than can be named, the first stay. */
export function trustedAfter(trusted: readonly string[], { proven, retired, shown }: HostKeyNews): readonly string[] {
  const sawNew = shown !== undefined && !retired.includes(shown);
  const kept = trusted.filter((key) => key === shown || proven.includes(key) || !sawNew || !retired.includes(key));
  return [...new Set([...kept, ...proven])].slice(0, LIMITS.hostKeys);
}

/** `hostKeys` of a worker's `worker.json`, which the master may add to; whatever else stands there stays. */
export class TrustedHostKeys {
  readonly #file: string;
  #trusted: readonly string[];
  /** Changes happen one after another. */
  readonly #turn = new Gate(1);

  constructor(dir: WorkerDir) {
    this.#file = dir.paths.config;
    this.#trusted = dir.hostKeys;
  }

  get trusted(): readonly string[] {
    return this.#trusted;
  }

  /** Resolves to what is trusted when it is on disk. Begins with what the file says now: a person may have changed it. */
  learn(news: HostKeyNews): Promise<readonly string[]> {
    return this.#turn.pass(() => this.#learn(news));
  }

  async #learn(news: HostKeyNews): Promise<readonly string[]> {
    const content = await readFile(this.#file, 'utf8');
    const { hostKeys } = parseWorkerFile(content, this.#file);
    const trusted = trustedAfter(hostKeys, news);
    if (trusted.join() !== hostKeys.join()) {
      const { mode } = await stat(this.#file);
      const changed = { ...(JSON.parse(content) as object), hostKeys: trusted };
      await writeFileAtomic(this.#file, `${JSON.stringify(changed, undefined, 2)}\n`, mode & 0o777);
    }
    this.#trusted = trusted;
    return trusted;
  }
}
