import type { Case } from './case.ts';
import { commands } from './cases/commands.ts';
import { ends } from './cases/ends.ts';
import { frames } from './cases/frames.ts';
import { greeting } from './cases/greeting.ts';
import { once } from './cases/once.ts';
import { output } from './cases/output.ts';
import { resume } from './cases/resume.ts';
import { sessions } from './cases/sessions.ts';

/** In the order of docs/conformance.md. */
export const CASES: readonly Case[] = [
  ...greeting,
  ...frames,
  ...sessions,
  ...commands,
  ...once,
  ...ends,
  ...output,
  ...resume,
];
