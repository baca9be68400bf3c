import { showDuration } from '../../config/duration.ts';
import type { KnownCall } from '../../config/calls.ts';
import type { Build, Step } from '../../model/build.ts';
import type { CommandRecord } from '../../model/command.ts';
import type { Cause } from '../views/request.ts';
import { clockTime } from '../queue/clock-time.ts';
import type { Away } from './lost-watch.ts';

/** What is known of a running build in one moment. */
export interface RunningFacts {
  readonly build: Build;
  readonly away: Away | undefined;
  readonly heldBack: string | undefined;
  readonly steps: readonly Step[];
  readonly records: readonly CommandRecord[];
  /** What the step under way waits for, when that is its locks. */
  readonly waitsFor: string | undefined;
  /** What it triggered and waits for. */
  readonly children: readonly Cause[];
  readonly nowMs: number;
}

/** Why a running build is where it is, the gravest first: what keeps it from going on, then what it does. */
export function whyRunning(facts: RunningFacts): readonly Cause[] {
  const { build, away, heldBack, steps, records, children, waitsFor, nowMs } = facts;
  const causes: Cause[] = [];
  if (away) {
    const { forMs, retryInMs } = away;
    const since = clockTime(nowMs - forMs, nowMs);
    const then =
      retryInMs === undefined
        ? 'the build waits for it'
        : `the build is retried elsewhere if it is not back by ${clockTime(nowMs + retryInMs, nowMs)}`;
    causes.push({ code: 'worker-away', text: `worker ${build.worker} is away since ${since}: ${then}` });
  }
  if (heldBack !== undefined) causes.push({ code: 'held-back', text: heldBack });
  if (build.stopReason !== undefined) {
    causes.push({
      code: 'stopping',
      text: `it is being stopped (${build.stopReason}): what runs is ended, or cleans up`,
    });
  }
  const step = steps.find(({ state }) => state === 'running');
  if (!step) return [...causes, { code: 'between-steps', text: 'its next step is being begun, or its end stored' }];
  if (waitsFor !== undefined) return [...causes, { code: 'locks', text: `step ${step.name} ${waitsFor}` }];
  const since = step.startedAtMs === undefined ? '' : ` since ${clockTime(step.startedAtMs, nowMs)}`;
  const open = records.filter((record) => record.step === step.index && record.state === 'started');
  if (open.length === 0) {
    const text = `step ${step.name} runs${since}: no call of it waits for the worker; its own code runs, or makes its next call`;
    return [...causes, { code: 'step', text }];
  }
  for (const record of open) {
    causes.push({ code: 'step', text: `step ${step.name} runs${since}: ${callInWords(record)}` });
    const limits = limitsOf(record);
    if (limits !== undefined) causes.push({ code: 'limit', text: limits });
  }
  return open.some(({ kind }) => kind === 'trigger') ? [...causes, ...children] : causes;
}

const COMMAND_SHOWN = 200;

function callInWords(record: CommandRecord): string {
  const call = { kind: record.kind, args: record.call } as KnownCall;
  switch (call.kind) {
    case 'run':
      return `its command has not ended: ${commandText(call.args.command)}`;
    case 'follow':
      return `${call.args.file} is being read into its log`;
    case 'reboot':
      return "it waits until the worker's machine is back on another boot";
    case 'boot':
      return 'it waits for the worker, whose machine it is to restart';
    case 'put':
      return `a file is on its way to the worker: ${call.args.path}`;
    case 'get':
    case 'keep':
      return `a file is on its way from the worker: ${call.args.path}`;
    case 'mkdir':
    case 'remove':
    case 'stat':
    case 'glob':
    case 'copy':
    case 'move':
      return `the worker has not answered yet: ${call.kind} ${call.args.path}`;
    case 'trigger':
      return `what it triggered by ${call.args.schedulers.join(', ')} ${call.args.waits ? 'has not ended' : 'is being asked for'}`;
    case 'once':
      return `the function of once(${JSON.stringify(call.args.name)}) has not ended`;
    default:
      return `its call ${record.kind} is being answered`;
  }
}

function commandText(command: string | readonly string[]): string {
  const text = typeof command === 'string' ? command : command.join(' ');
  // Of a script the line that it is begun with: the step's name says what it is for.
  const [line = '', ...more] = text.trim().split(/\s*\n\s*/);
  if (line.length > COMMAND_SHOWN) return `${line.slice(0, COMMAND_SHOWN)}…`;
  return more.length > 0 ? `${line} …` : line;
}

function limitsOf(record: CommandRecord): string | undefined {
  const call = { kind: record.kind, args: record.call } as KnownCall;
  if (call.kind === 'reboot') return `that is given up after ${showDuration(call.args.withinMs)}`;
  if (call.kind !== 'run') return undefined;
  const { silenceMs, totalMs } = call.args;
  const limits = [
    ...(silenceMs === undefined ? [] : [`${showDuration(silenceMs)} without output`]),
    ...(totalMs === undefined ? [] : [`${showDuration(totalMs)} in all`]),
  ];
  return limits.length === 0
    ? 'no limit of time ends the command'
    : `the command is ended after ${limits.join(', or ')}`;
}
