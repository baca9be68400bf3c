import type { SessionBook } from '../session-book.ts';
import { PathRefused, insideFolder } from '../inside-folder.ts';
import { sessionFolder } from '../session-folder.ts';
import { copyTree } from './copy-tree.ts';
import type { FileRecord, FileRecords } from './file-record.ts';
import { getFile } from './get-file.ts';
import { listFiles } from './list-files.ts';
import type { MadeLists } from './made-list.ts';
import { moveFile } from './move-file.ts';
import { putFile } from './put-file.ts';
import { statFile } from './stat-file.ts';
import { TransferRefused } from './transfer-line.ts';
import type { TransferLine } from './transfer-line.ts';

/** Matches of a pattern, when the order does not say. */
const LIST_LIMIT = 10_000;

export interface FileWorkOptions {
  readonly records: FileRecords;
  readonly lists: MadeLists;
  readonly sessions: SessionBook;
  readonly workDir: string;
}

type Facts = Readonly<Record<string, string>>;

/**
 * Does what the daemon itself does with files while there is a link: all that may take long, or needs the master. Each may be begun again
 * after a cut or a crash.
 */
export class FileWork {
  readonly #options: FileWorkOptions;

  constructor(options: FileWorkOptions) {
    this.#options = options;
  }

  /** Resolves with the facts of the outcome; rejects with a TransferCut when it is to go on over the next link. */
  async run(record: FileRecord, line: TransferLine): Promise<Facts> {
    const { spec } = record;
    const folder = await this.folder(record.session);
    switch (spec.kind) {
      case 'stat':
        return await statFile(folder, spec.path ?? '');
      case 'glob':
        return await this.#list(record, folder, line);
      case 'copy':
      case 'move':
        return await this.#toOtherPlace(record, folder, line);
      default:
        return await this.#transfer(record, folder, line);
    }
  }

  /** The session's folder, made anew when it is not there. */
  async folder(session: string): Promise<string> {
    const held = this.#options.sessions.get(session);
    if (!held) throw new PathRefused('the session is not open on this worker');
    return await sessionFolder(this.#options.workDir, held.directory);
  }

  async #transfer({ command, fence, spec }: FileRecord, folder: string, line: TransferLine): Promise<Facts> {
    const shown = spec.path ?? '';
    const place = await insideFolder(folder, shown);
    if (place === folder) throw new PathRefused('a transfer needs the path of a file');
    if (spec.kind === 'get') {
      const limit = spec.maxBytes === undefined ? {} : { maxBytes: spec.maxBytes };
      return factsOf(await getFile({ command, fence, source: place, shown, ...limit }, line));
    }
    const { size, sha256 } = spec;
    if (size === undefined || sha256 === undefined) throw new TransferRefused('a put needs size and sha256');
    await putFile({ command, fence, target: place, size, sha256, mode: spec.mode ?? 0o644 }, line);
    return { size: String(size), sha256 };
  }

  async #list({ command, fence, spec }: FileRecord, folder: string, line: TransferLine): Promise<Facts> {
    const pattern = spec.path ?? '';
    const check = (): void => line.check();
    const source = await this.#options.lists.file(command, () =>
      listFiles({ folder, pattern, limit: spec.limit ?? LIST_LIMIT, check }),
    );
    return factsOf(await getFile({ command, fence, source, shown: pattern }, line));
  }

  async #toOtherPlace(record: FileRecord, folder: string, line: TransferLine): Promise<Facts> {
    const { command, spec, inode } = record;
    const shown = { from: spec.path ?? '', to: spec.to ?? '' };
    const from = await insideFolder(folder, shown.from, { keepLink: true });
    const to = await insideFolder(folder, shown.to, { keepLink: true });
    if (from === folder || to === folder)
      throw new PathRefused(`a ${spec.kind} needs two paths in the session's folder`);
    if (spec.kind === 'copy') await copyTree({ command, from, to, shown, check: () => line.check() });
    else {
      const remember = (found: string): Promise<void> => this.#options.records.put({ ...record, inode: found });
      await moveFile({ from, to, shown, inode, remember });
    }
    return {};
  }
}

function factsOf({ size, sha256, mtimeMs }: { size: number; sha256: string; mtimeMs: number }): Facts {
  return { size: String(size), sha256, mtimeMs: String(mtimeMs) };
}
