import { readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../base/atomic-file.ts';
import { errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { commandSpec, outcome } from '../../protocol/messages.ts';
import type { Outcome } from '../../protocol/messages.ts';
import { integer, object, optional, text } from '../../protocol/schema.ts';
import type { Checked } from '../../protocol/schema.ts';

/** A command that the daemon carries out itself, as the disk remembers it: claimed, and once it ended its outcome. */
const fileRecord = object({
  command: text(200),
  session: text(200),
  fence: integer(1),
  spec: commandSpec,
  startedAtMs: integer(),
  /** move: what is moved, from before it is. */
  inode: optional(text(40)),
  outcome: optional(outcome),
});
export type FileRecord = Checked<typeof fileRecord>;

/** What a master may leave unforgotten; beyond it nothing more is started. */
const MAX_RECORDS = 10_000;

/** The records of a worker, a file each; a change is on disk when its promise resolves. */
export class FileRecords {
  readonly #folder: string;
  readonly #records: Map<string, FileRecord>;

  private constructor(folder: string, records: Map<string, FileRecord>) {
    this.#folder = folder;
    this.#records = records;
  }

  static async open(folder: string, logger: Logger): Promise<FileRecords> {
    const records = new Map<string, FileRecord>();
    for (const name of await readdir(folder)) {
      const path = join(folder, name);
      if (!name.endsWith('.json')) {
        // A write that a crash cut short.
        await rm(path, { force: true });
        continue;
      }
      try {
        const record = fileRecord(JSON.parse(await readFile(path, 'utf8')), '');
        records.set(record.command, record);
      } catch (error) {
        logger.warn(`${path} is no record of a command and is left alone: ${errorText(error)}`);
      }
    }
    return new FileRecords(folder, records);
  }

  get(command: string): FileRecord | undefined {
    return this.#records.get(command);
  }

  list(): readonly FileRecord[] {
    return Array.from(this.#records.values());
  }

  async put(record: FileRecord): Promise<void> {
    if (!this.#records.has(record.command) && this.#records.size >= MAX_RECORDS) {
      throw new Error(`the worker holds the outcomes of ${MAX_RECORDS} commands that the master has not taken`);
    }
    await writeFileAtomic(this.#path(record.command), JSON.stringify(record));
    this.#records.set(record.command, record);
  }

  /** Keeps the outcome; for a command that was forgotten meanwhile it does nothing. */
  async finish(command: string, ended: Outcome): Promise<FileRecord | undefined> {
    const record = this.#records.get(command);
    if (!record || record.outcome) return record;
    const finished = { ...record, outcome: ended };
    await this.put(finished);
    return finished;
  }

  /** A removal that a power loss undoes is asked for again: the next inventory names the command. */
  async remove(command: string): Promise<void> {
    if (this.#records.delete(command)) await rm(this.#path(command), { force: true });
  }

  #path(command: string): string {
    return join(this.#folder, `${command}.json`);
  }
}
