import { plain } from '../../base/plain.ts';
import { readArguments } from '../arguments.ts';
import { table } from '../show/table.ts';
import { howLong } from '../show/time.ts';
import type { Verb } from '../verb.ts';

export const workerKnocks: Verb = {
  name: 'worker knocks',
  usage: 'worker knocks [--json]',
  summary: "keys that came under a name which is nobody's, newest first",
  role: 'operator',
  async run({ operator, asker, args, clock, write }) {
    const { values } = readArguments(args, { json: { type: 'boolean' } }, { min: 0, max: 0 });
    const list = await operator.knocks(asker);
    if (values.json) {
      await write(`${JSON.stringify(list)}\n`);
      return 0;
    }
    const rows = list.map(({ name, fingerprint, address, lastAtMs, count }) => [
      name,
      fingerprint,
      address,
      howLong(clock.now() - lastAtMs),
      String(count),
    ]);
    await write(rows.length > 0 ? table(['NAME', 'KEY', 'FROM', 'AGO', 'TIMES'], rows) : 'nobody has knocked\n');
    return 0;
  },
};

export const workerApprove: Verb = {
  name: 'worker approve',
  usage: 'worker approve NAME [--key SHA256:…] [--json]',
  summary: 'lets the key in that knocked under this name; which one, when there were several',
  role: 'operator',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(
      args,
      { key: { type: 'string' }, json: { type: 'boolean' } },
      { min: 1, max: 1 },
    );
    const name = positionals[0] ?? '';
    const fingerprint = await operator.approveWorker(asker, name, values.key);
    const view = { worker: name, fingerprint };
    await write(
      values.json ? `${JSON.stringify(view)}\n` : `worker ${plain(name)} may connect with the key ${fingerprint}\n`,
    );
    return 0;
  },
};
