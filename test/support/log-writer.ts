import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * A program for a command: writes as many bytes as it is told, no two lines alike, and keeps a record of what it wrote.
 *
 *     python3 log-writer.py DIR TOTAL HEAD TAIL [OFFSET]…
 *
 * At each OFFSET it waits for the file `DIR/go-OFFSET`. `DIR/count` always says how many bytes it has written; at the end
 * `DIR/hashes` holds the SHA-256 of all, of the first HEAD and of the last TAIL bytes, one a line.
 */
export async function makeLogWriter(dir: string): Promise<string> {
  const file = join(dir, 'log-writer.py');
  await writeFile(file, PROGRAM);
  return file;
}

const PROGRAM = `
import collections, hashlib, mmap, os, sys, time
dir, total, head, tail = sys.argv[1], *map(int, sys.argv[2:5])
stops = [int(stop) for stop in sys.argv[5:]]
body = ''.join('%08x of a log that must not lose a byte\\n' % (i * 2654435761 % 2**32) for i in range(1400)).encode()
whole, first, last, held = hashlib.sha256(), hashlib.sha256(), collections.deque(), 0
with open(dir + '/count', 'w+b') as file:
    file.write(b'%020d' % 0)
    file.flush()
    count = mmap.mmap(file.fileno(), 20)
done = 0
while done < total:
    if stops and done >= stops[0]:
        while not os.path.exists(dir + '/go-%d' % stops[0]): time.sleep(0.01)
        stops.pop(0)
    piece = (b'block %012d\\n' % done + body)[:total - done]
    rest = memoryview(piece)
    while rest:
        n = os.write(1, rest)
        rest = rest[n:]
        count[:] = b'%020d' % (done + len(piece) - len(rest))
    whole.update(piece)
    if done < head: first.update(piece[:head - done])
    last.append(piece)
    held += len(piece)
    while len(last) > 1 and held - len(last[0]) >= tail: held -= len(last.popleft())
    done += len(piece)
end = b''.join(last)
hashes = [whole.hexdigest(), first.hexdigest(), hashlib.sha256(end[len(end) - min(tail, len(end)):]).hexdigest()]
with open(dir + '/hashes.new', 'w') as file: file.write('\\n'.join(hashes))
os.rename(dir + '/hashes.new', dir + '/hashes')
`;
