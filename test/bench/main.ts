import { builds } from './builds.ts';
import { choice } from './choose.ts';
import { control } from './control.ts';
import { dispatch } from './dispatch.ts';
import type { Figure } from './figure.ts';
import { locks } from './locks.ts';
import { line, log, logOfOneFile } from './log.ts';
import { sessions } from './sessions.ts';
import { step } from './step.ts';
import { workers } from './workers.ts';

/** Each takes its peer, or the physical limit it is compared with, in the same run. */
const BENCHES: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  log,
  'log-one-file': logOfOneFile,
  line,
  step,
  control,
  builds,
  dispatch,
  choose: choice,
  locks,
  sessions,
  workers,
};

const words = process.argv.slice(2);
const asJson = words.includes('--json');
const names = words.filter((word) => word !== '--json');
const unknown = names.find((name) => !BENCHES[name]);
if (unknown !== undefined) {
  console.error(`there is no bench "${unknown}"; there are ${Object.keys(BENCHES).join(', ')}`);
  process.exit(64);
}

for (const [name, bench] of Object.entries(BENCHES)) {
  if (names.length > 0 && !names.includes(name)) continue;
  for (const one of await bench()) {
    if (asJson) console.log(JSON.stringify(one));
    else console.log(`${one.name.padEnd(34)} ${String(one.ours).padStart(9)} ${one.unit.padEnd(8)} ${compared(one)}`);
  }
}

function compared({ peer, ratio, unit }: Figure): string {
  return peer === null ? '' : `peer ${peer} ${unit}, ratio ${ratio}`;
}
