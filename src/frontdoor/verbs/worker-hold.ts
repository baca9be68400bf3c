import { readArguments } from '../arguments.ts';
import { plain } from '../../base/plain.ts';
import { EX_UNAVAILABLE, UsageError } from '../verb.ts';
import type { Verb } from '../verb.ts';

/** Verbs by which a worker is given no builds, and given them again. */

export const workerPause: Verb = {
  name: 'worker pause',
  usage: 'worker pause NAME --reason TEXT [--json]',
  summary: 'gives a worker no new builds until it is resumed; what it builds goes on',
  role: 'operator',
  async run({ operator, asker, args, write }) {
    const options = { reason: { type: 'string' }, json: { type: 'boolean' } } as const;
    const { values, positionals } = readArguments(args, options, { min: 1, max: 1 });
    if (!values.reason) throw new UsageError('say why with --reason: whoever waits for the worker is told');
    const name = positionals[0] ?? '';
    await operator.holdWorker(asker, name, { to: 'pause', reason: values.reason });
    await write(values.json ? `${JSON.stringify({ paused: name })}\n` : `worker ${plain(name)} is paused\n`);
    return 0;
  },
};

export const workerResume: Verb = {
  name: 'worker resume',
  usage: 'worker resume NAME [--json]',
  summary: 'gives a worker builds again that was paused or drained, or takes it back while it is',
  role: 'operator',
  async run({ operator, asker, args, write }) {
    const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
    const name = positionals[0] ?? '';
    await operator.holdWorker(asker, name, { to: 'resume' });
    await write(values.json ? `${JSON.stringify({ resumed: name })}\n` : `worker ${plain(name)} takes builds\n`);
    return 0;
  },
};

export const workerDrain: Verb = {
  name: 'worker drain',
  usage: 'worker drain NAME [--reason TEXT] [--wait] [--json]',
  summary: 'gives a worker no new builds; --wait comes back when its last one has ended',
  role: 'operator',
  async run({ operator, asker, args, write, signal }) {
    const options = { reason: { type: 'string' }, wait: { type: 'boolean' }, json: { type: 'boolean' } } as const;
    const { values, positionals } = readArguments(args, options, { min: 1, max: 1 });
    const name = positionals[0] ?? '';
    await operator.holdWorker(asker, name, { to: 'drain', ...(values.reason && { reason: values.reason }) });
    if (!values.wait) {
      await write(
        values.json ? `${JSON.stringify({ draining: name })}\n` : `worker ${plain(name)} takes no new builds\n`,
      );
      return 0;
    }
    const isDrained = await operator.untilDrained(asker, name, signal);
    const told = isDrained ? 'is drained' : 'is not being drained any more';
    await write(
      values.json ? `${JSON.stringify({ drained: isDrained ? name : null })}\n` : `worker ${plain(name)} ${told}\n`,
    );
    return isDrained ? 0 : EX_UNAVAILABLE;
  },
};

export const workerRetire: Verb = {
  name: 'worker retire',
  usage: 'worker retire NAME [--reason TEXT] [--now] [--json]',
  summary: 'drains a worker, then withdraws its key; --now ends its builds, which are retried elsewhere',
  role: 'operator',
  async run({ operator, asker, args, write }) {
    const options = { reason: { type: 'string' }, now: { type: 'boolean' }, json: { type: 'boolean' } } as const;
    const { values, positionals } = readArguments(args, options, { min: 1, max: 1 });
    const name = positionals[0] ?? '';
    const to = values.now ? 'retire-now' : 'retire';
    await operator.holdWorker(asker, name, { to, ...(values.reason && { reason: values.reason }) });
    const told = `worker ${plain(name)} is retired when nothing runs there any more\n`;
    await write(values.json ? `${JSON.stringify({ retiring: name })}\n` : told);
    return 0;
  },
};
