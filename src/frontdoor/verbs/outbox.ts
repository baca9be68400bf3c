import type { OutboxView } from '../../master/views/outbox.ts';
import { readArguments, wholeNumber } from '../arguments.ts';
import { table } from '../show/table.ts';
import { howLongLeft, when } from '../show/time.ts';
import type { Verb, VerbContext } from '../verb.ts';

export const outbox: Verb = {
  name: 'outbox',
  usage: 'outbox [--json]',
  summary: 'what reporters are to send, or have sent, newest first, and why it was not',
  role: 'operator',
  async run({ operator, asker, args, clock, write }) {
    const { values } = readArguments(args, { json: { type: 'boolean' } }, { min: 0, max: 0 });
    const list = await operator.outbox(asker);
    if (values.json) await write(`${JSON.stringify(list)}\n`);
    else {
      const rows = list.map((view) => [
        String(view.id),
        view.reporter,
        view.to,
        stateOf(view, clock.now()),
        String(view.attempts),
        view.subject,
        view.lastError ?? '',
      ]);
      const head = ['ID', 'REPORTER', 'TO', 'STATE', 'TRIES', 'WHAT', 'LAST ERROR'];
      await write(rows.length > 0 ? table(head, rows) : 'nothing was to be told yet\n');
    }
    return 0;
  },
};

function stateOf({ state, nextTryMs, endedAtMs }: OutboxView, nowMs: number): string {
  if (nextTryMs !== null) return nextTryMs > nowMs ? `again in ${howLongLeft(nextTryMs - nowMs)}` : 'due';
  return `${state === 'sent' ? 'sent' : 'given up'} ${when(endedAtMs ?? 0)}`;
}

export const outboxRetry: Verb = {
  name: 'outbox retry',
  usage: 'outbox retry ID [--json]',
  summary: 'has a message tried again at once, also one that was given up',
  role: 'operator',
  async run(context) {
    const { id, isJson } = readId(context);
    await context.operator.retryMessage(context.asker, id);
    await context.write(isJson ? `${JSON.stringify({ retried: id })}\n` : `message ${id} is tried again\n`);
    return 0;
  },
};

export const outboxDrop: Verb = {
  name: 'outbox drop',
  usage: 'outbox drop ID [--json]',
  summary: 'forgets a message; one that is being sent may arrive all the same',
  role: 'operator',
  async run(context) {
    const { id, isJson } = readId(context);
    await context.operator.dropMessage(context.asker, id);
    await context.write(isJson ? `${JSON.stringify({ dropped: id })}\n` : `message ${id} is dropped\n`);
    return 0;
  },
};

function readId({ args }: VerbContext): { readonly id: number; readonly isJson: boolean } {
  const { values, positionals } = readArguments(args, { json: { type: 'boolean' } }, { min: 1, max: 1 });
  return { id: wholeNumber(positionals[0] ?? '', 'ID', 1, Number.MAX_SAFE_INTEGER), isJson: values.json === true };
}
