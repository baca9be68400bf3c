import type { BuildView, StepView } from '../../master/views/build.ts';
import { plain } from '../../base/plain.ts';
import { countsText } from '../../model/test-result.ts';
import { table } from './table.ts';
import { howLong, howLongLeft, when } from './time.ts';

export function buildName(build: BuildView): string {
  return `${build.project}/${build.builder}#${build.number}`;
}

/** With what it is shown as besides. */
function shownName(build: BuildView): string {
  return build.virtualBuilder === null ? buildName(build) : `${buildName(build)} (${build.virtualBuilder})`;
}

/** `success`, or what it does now. */
export function outcomeOf(view: { readonly state: string; readonly result: string | null }): string {
  return view.result ?? view.state;
}

export function sourceOf(build: BuildView): string {
  const parts = [build.branch, build.revision?.slice(0, 12), build.patch && '+ patch'];
  return parts.filter((part) => part).join(' ') || '-';
}

export function buildTable(builds: readonly BuildView[], nowMs: number): string {
  return table(
    ['ID', 'BUILD', 'RESULT', 'TOOK', 'WORKER', 'SOURCE', 'STARTED'],
    builds.map((build) => [
      String(build.id),
      shownName(build),
      outcomeOf(build),
      howLong((build.finishedAtMs ?? nowMs) - build.startedAtMs),
      build.worker,
      sourceOf(build),
      when(build.startedAtMs),
    ]),
  );
}

export function stepLine(step: StepView, nowMs: number): string {
  const took = step.startedAtMs === null ? '' : `  ${howLong((step.finishedAtMs ?? nowMs) - step.startedAtMs)}`;
  const words = [step.description, step.summary].map((text) => (text ? `  ${plain(text)}` : '')).join('');
  return `${outcomeOf(step).padEnd(9)} ${plain(step.name)}${took}${lockWaitText(step)}${words}`;
}

/** A wait that is over in less is not worth a word. */
const LOCK_WAIT_SHOWN_MS = 1_000;

function lockWaitText({ lockWaitMs, waitsForLocks }: StepView): string {
  if (waitsForLocks) return '  waits for locks';
  return (lockWaitMs ?? 0) < LOCK_WAIT_SHOWN_MS ? '' : `, ${howLong(lockWaitMs ?? 0)} of it for locks`;
}

/** `away for 3 min 0 s, the build is retried elsewhere in 27 min 0 s`. */
export function awayText(away: NonNullable<BuildView['workerAway']>, nowMs: number): string {
  const { sinceMs, retryAtMs } = away;
  const then = retryAtMs === null ? 'waits for it' : `is retried elsewhere in ${howLongLeft(retryAtMs - nowMs)}`;
  return `away for ${howLong(nowMs - sinceMs)}, the build ${then}`;
}

function retries({ id, retryOf, retriedAs }: BuildView): string[] {
  return [
    ...(retryOf === null ? [] : [`retry   build ${retryOf} was retried as build ${id}`]),
    ...(retriedAs === null ? [] : [`retry   build ${id} was retried as build ${retriedAs}`]),
  ];
}

/** `request 3`, `requests 3, 4`. */
export function requestsText(ids: readonly number[]): string {
  return `${ids.length === 1 ? 'request' : 'requests'} ${ids.join(', ')}`;
}

function family({ parent, children, rebuildOf, rebuiltAs }: BuildView): string[] {
  return [
    ...(rebuildOf === null ? [] : [`again   of build ${rebuildOf}`]),
    ...(rebuiltAs.length === 0 ? [] : [`again   as build ${rebuiltAs.join(', ')}`]),
    ...(parent === null
      ? []
      : [
          `parent  build ${parent.build} (${parent.project}/${parent.builder}#${parent.number})${parent.waits ? ', which waits for it' : ''}`,
        ]),
    ...children.map(({ request, project, builder, state, result, build, isWaitedFor }) => {
      const which = build === null ? `request ${request}` : `build ${build}`;
      return `child   ${which} of ${project}/${builder}: ${result ?? state}${isWaitedFor ? '' : ', not waited for'}`;
    }),
  ];
}

function changeLines(change: BuildView['changes'][number]): string[] {
  const { id, branch, revision, author, subject, revlink, sentBy } = change;
  const line = `change  ${id}, ${branch} ${revision.slice(0, 12)} by ${author ?? sentBy}: ${subject}`;
  return revlink === null ? [line] : [line, `        ${revlink}`];
}

/** The whole of one build, for people: with the steps that its configuration hides, or a word of how many these are. */
export function buildPage(build: BuildView, nowMs: number, withHidden: boolean): string {
  const end = build.finishedAtMs ?? nowMs;
  const lines = [
    `build ${build.id}  ${buildName(build)}: ${outcomeOf(build)}${build.summary ? ` (${build.summary})` : ''}`,
    `worker  ${build.worker}${build.workerAway ? ` (${awayText(build.workerAway, nowMs)})` : ''}`,
    ...(build.heldBack === null ? [] : [`waits   ${build.heldBack}`]),
    `source  ${sourceOf(build)}`,
    ...(build.untrustedOf === null ? [] : [`fork    by ${build.untrustedOf}: untrusted`]),
    ...(build.patch ? [`patch   ${build.patch.bytes} bytes, SHA-256 ${build.patch.sha256}`] : []),
    ...build.changes.flatMap(changeLines),
    `asked   by ${build.owner}${build.scheduler === null ? '' : `, scheduler ${build.scheduler}`}: ${build.reason}`,
    ...(build.externalId === null ? [] : [`for     ${build.externalId}`]),
    `time    ${when(build.startedAtMs)} UTC, ${build.finishedAtMs === null ? 'runs for' : 'took'} ${howLong(end - build.startedAtMs)}`,
    ...(build.tests === null ? [] : [`tests   ${countsText(build.tests)}`]),
    ...(build.collapsed.length === 0
      ? []
      : [`instead of ${requestsText(build.collapsed)}, collapsed into ${build.request}`]),
    ...retries(build),
    ...family(build),
  ].map(plain);
  const shown = build.steps.filter(({ isHidden }) => withHidden || !isHidden);
  const hidden = build.steps.length - shown.length;
  const steps = shown.flatMap((step) => {
    const logs = step.logs.map((log) => {
      const state = log.deletedAtMs !== null ? ', deleted' : log.isComplete ? '' : ' so far';
      return `${plain(log.name)} ${log.length} bytes${state}`;
    });
    return [
      `  ${stepLine(step, nowMs)}${logs.length > 0 ? `  [${logs.join(', ')}]` : ''}`,
      ...step.links.map(({ name, url }) => plain(`            ${name}: ${url}`)),
    ];
  });
  const properties = build.properties.map(({ name, value, source }) =>
    plain(`  ${name} = ${typeof value === 'string' ? value : JSON.stringify(value)}  (${source})`),
  );
  if (hidden > 0) steps.push(`  and ${hidden} hidden: build ${build.id} --all`);
  return [...lines, 'steps', ...steps, ...(properties.length > 0 ? ['properties', ...properties] : []), ''].join('\n');
}
