import { LIMITS } from '../../protocol/limits.ts';
import type { Link } from '../../transport/link.ts';
import type { CommandPost } from '../link/command-post.ts';
import { FileReceiver } from './file-receiver.ts';
import { FileSender } from './file-sender.ts';

/** Serves what the worker asked for, once the build's order says which file it is about. */
export function serveTransfer(post: CommandPost, fence: number, link: Link, filesDir: string): void {
  const { asked, order, session, command } = post;
  if (!asked || !order) return;
  post.asked = undefined;
  const options = { link, session, command, fence };
  const file = order.file;
  const { kind } = order.spec;
  if (file === undefined || (asked.kind === 'pull' ? kind !== 'put' : kind !== 'get' && kind !== 'glob')) {
    link.send('file.refused', session, { command, code: 'unexpected', message: 'this command moves no file that way' });
    return;
  }
  const transfer =
    asked.kind === 'pull'
      ? new FileSender({ ...options, path: file, size: order.spec.size, offset: asked.fields.offset })
      : new FileReceiver({
          ...options,
          filesDir,
          target: file,
          maxBytes: kind === 'glob' ? LIMITS.listBytes : order.spec.maxBytes,
          size: asked.fields.size,
        });
  post.transfer = transfer;
  // One after another: the one before may still write to the same file.
  post.transfersDone = post.transfersDone.then(() => transfer.run());
}
