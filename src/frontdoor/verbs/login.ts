import { readArguments } from '../arguments.ts';
import { howLongLeft } from '../show/time.ts';
import type { Verb } from '../verb.ts';

export const login: Verb = {
  name: 'login',
  usage: 'login [--json]',
  summary: 'a link that signs your browser in, once, within five minutes',
  role: 'reader',
  async run({ operator, asker, args, clock, write }) {
    const { values } = readArguments(args, { json: { type: 'boolean' } }, { min: 0, max: 0 });
    const view = await operator.login(asker);
    if (values.json) {
      await write(`${JSON.stringify(view)}\n`);
      return 0;
    }
    const { host, port } = new URL(view.url);
    const forward = `-L ${port}:${host}`;
    await write(
      `${view.url}\nopen it within ${howLongLeft(view.expiresAtMs - clock.now())}, where this runs: ssh -p PORT -N ${forward} ${asker.name}@HOST\n`,
    );
    return 0;
  },
};
