import { parsePublicKeys } from '../../transport/keys.ts';
import { errorText } from '../../base/errors.ts';
import { readArguments } from '../arguments.ts';
import { plain } from '../../base/plain.ts';
import { troubleLine } from '../show/trouble.ts';
import { table } from '../show/table.ts';
import { howLong } from '../show/time.ts';
import { UsageError } from '../verb.ts';
import type { Verb } from '../verb.ts';

/** A file of public keys is not longer. */
const MAX_KEYS_BYTES = 64 * 1024;

export const workers: Verb = {
  name: 'workers',
  usage: 'workers [--json]',
  summary: 'every worker, since when it is here or away, and what it builds',
  role: 'reader',
  async run({ operator, asker, args, clock, write }) {
    const { values } = readArguments(args, { json: { type: 'boolean' } }, { min: 0, max: 0 });
    const list = await operator.workers(asker);
    if (values.json) {
      await write(`${JSON.stringify(list)}\n`);
      return 0;
    }
    const rows = list.map((worker) => [
      worker.name,
      [worker.state, worker.hold?.kind, !worker.isConfigured && 'not in the configuration']
        .filter((part) => part)
        .join(', '),
      worker.sinceMs === null ? '-' : howLong(clock.now() - worker.sinceMs),
      `${worker.builds.length} of ${worker.maxBuilds}`,
      worker.owner ?? '-',
      worker.host ?? '-',
      worker.version ?? '-',
      [worker.facts['os'], worker.facts['arch'], worker.facts['cores'] && `${worker.facts['cores']} cores`]
        .filter((fact) => fact)
        .join(', ') || '-',
    ]);
    await write(
      rows.length > 0
        ? table(['WORKER', 'STATE', 'FOR', 'BUILDS', 'OWNER', 'HOST', 'VERSION', 'MACHINE'], rows)
        : 'no workers yet\n',
    );
    for (const { name: worker, held, heldBack, troubles } of list) {
      if (held !== null) await write(plain(`${worker} ${held}`) + '\n');
      if (heldBack !== null) await write(plain(`${worker}: ${heldBack}`) + '\n');
      for (const trouble of troubles) await write(`${troubleLine(trouble, clock.now())}\n`);
    }
    return 0;
  },
};

export const workerAdd: Verb = {
  name: 'worker add',
  usage: 'worker add NAME [--json] < KEY.pub',
  summary: 'lets a worker in by its public key, read from standard input',
  role: 'operator',
  async run({ operator, asker, args, readStdin, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
    const name = positionals[0] ?? '';
    const text = await readStdin(MAX_KEYS_BYTES);
    if (text.trim() === '') throw new UsageError('no key came on standard input: give the file with < KEY.pub');
    await operator.addWorker(asker, name, readKeys(text));
    await write(values.json ? `${JSON.stringify({ added: name })}\n` : `worker ${plain(name)} may connect\n`);
    return 0;
  },
};

function readKeys(text: string) {
  try {
    return parsePublicKeys(text);
  } catch (error) {
    throw new UsageError(`standard input holds no public key: ${errorText(error)}`);
  }
}

export const workerRevoke: Verb = {
  name: 'worker revoke',
  usage: 'worker revoke NAME [--json]',
  summary: 'shuts a worker out at once, and closes its connection',
  role: 'operator',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
    const name = positionals[0] ?? '';
    await operator.revokeWorker(asker, name);
    await write(values.json ? `${JSON.stringify({ revoked: name })}\n` : `worker ${plain(name)} is shut out\n`);
    return 0;
  },
};
