import { plain } from '../../base/plain.ts';
import type { InviteView } from '../../master/views/worker.ts';
import { readArguments } from '../arguments.ts';
import { table } from '../show/table.ts';
import { howLongLeft } from '../show/time.ts';
import type { Verb } from '../verb.ts';

export const workerInvite: Verb = {
  name: 'worker invite',
  usage: 'worker invite NAME [--expires 1h] [--host HOST[:PORT]] [--again] [--json]',
  summary: 'prints one line that makes the machine on which it is pasted a worker',
  role: 'operator',
  async run({ operator, asker, args, arrivedAt, clock, write }) {
    const { values, positionals } = readArguments(
      args,
      {
        expires: { type: 'string' },
        host: { type: 'string' },
        again: { type: 'boolean' },
        json: { type: 'boolean' },
      },
      { min: 1, max: 1 },
    );
    const invite = await operator.inviteWorker(asker, positionals[0] ?? '', {
      arrivedAt,
      ...(values.expires !== undefined && { expires: values.expires }),
      ...(values.host !== undefined && { host: values.host }),
      ...(values.again !== undefined && { isAgain: values.again }),
    });
    await write(values.json ? `${JSON.stringify(invite)}\n` : page(invite, clock.now()));
    return 0;
  },
};

/** All but the line are a shell's comments, so that the whole may be piped into one. */
function page({ worker, line, expiresAtMs, master, isConfigured }: InviteView, nowMs: number): string {
  const lines = [
    `# Paste this line on the machine that is to be ${worker}, within ${howLongLeft(expiresAtMs - nowMs)}; whoever has it first is it.`,
    `# It connects to ${master}: if the machine knows the master by another address, say --host HOST[:PORT].`,
    line,
  ];
  if (!isConfigured)
    lines.push(`# It gets builds when the configuration has worker('${worker}') and a builder names it.`);
  return lines.map((text) => `${text}\n`).join('');
}

export const workerInvitations: Verb = {
  name: 'worker invitations',
  usage: 'worker invitations [--json]',
  summary: 'the invitations that are open',
  role: 'operator',
  async run({ operator, asker, args, clock, write }) {
    const { values } = readArguments(args, { json: { type: 'boolean' } }, { min: 0, max: 0 });
    const list = await operator.invitations(asker);
    if (values.json) {
      await write(`${JSON.stringify(list)}\n`);
      return 0;
    }
    const rows = list.map(({ worker, invitedBy, expiresAtMs, isAgain }) => [
      worker,
      invitedBy,
      howLongLeft(expiresAtMs - clock.now()),
      isAgain ? 'one key more' : 'a new worker',
    ]);
    await write(
      rows.length > 0 ? table(['WORKER', 'INVITED BY', 'OPEN FOR', 'IT IS'], rows) : 'no invitation is open\n',
    );
    return 0;
  },
};

export const workerUninvite: Verb = {
  name: 'worker uninvite',
  usage: 'worker uninvite NAME [--json]',
  summary: 'takes an invitation back that nobody has used yet',
  role: 'operator',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
    const name = positionals[0] ?? '';
    await operator.uninviteWorker(asker, name);
    await write(
      values.json ? `${JSON.stringify({ uninvited: name })}\n` : `the invitation of ${plain(name)} is taken back\n`,
    );
    return 0;
  },
};
