import type { Access } from '../model/access.ts';
import { GRACE_HEARTBEATS, HEARTBEAT_MS, WHEN_WORKER_LOST } from '../model/lost-worker.ts';
import type { WhenWorkerLost } from '../model/lost-worker.ts';
import { TROUBLE_RULES } from '../model/trouble.ts';
import type { TroubleRules } from '../model/trouble.ts';
import { chainMistakes } from './check-chains.ts';
import { schedulerMistakes, schedulerShape } from './check-schedulers.ts';
import { checkoutMistakes } from './check-checkouts.ts';
import { triggerMistakes } from './check-triggers.ts';
import { functionShapes } from './builder-functions.ts';
import { configSchema } from './config-schema.ts';
import type { CheckedBuilder, CheckedConfig, CheckedProject } from './config-schema.ts';
import { doubles } from './doubles.ts';
import { parseDuration, showDuration } from './duration.ts';
import { issueText } from './issue-text.ts';
import { hookShape } from './hook-schema.ts';
import { keepShape } from './keep-schema.ts';
import { lockMistakes } from './lock-mistakes.ts';
import { accessShapes, literalLocks, lockShapes } from './lock-shapes.ts';
import { dependsOnMistakes } from './depends-on.ts';
import { placeInWords } from './place.ts';
import type { CheckedReporter } from './reporter-schema.ts';
import { labelsOf, selectWorkers, showSelector, writtenNames } from './select-workers.ts';
import { builderRequestsShape, projectRequestsShape } from './request-shapes.ts';
import { secretMistakes, secretShapes, secretsOfBuilder } from './secrets/shapes.ts';
import type { BuilderShape, ConfigShape, ProjectShape, ReporterShape } from './shape.ts';
import { pollMistakes, sourceShape } from './source-schema.ts';
import { stepShapes } from './step-shapes.ts';
import { CONFIG_FORMAT } from './values.ts';

export type Check =
  { readonly config: CheckedConfig; readonly shape: ConfigShape } | { readonly mistakes: readonly string[] };

/** Checks what a configuration file exports: its shape for the master, or all that is wrong with it, each with its place. */
export function checkConfig(hash: string, exported: unknown): Check {
  const format =
    typeof exported === 'object' && exported !== null && 'format' in exported ? exported.format : undefined;
  if (typeof format === 'number' && format > CONFIG_FORMAT) {
    return {
      mistakes: [`it was made by a newer trunkline (format ${format}, we read ${CONFIG_FORMAT}): upgrade this one`],
    };
  }
  const parsed = configSchema.safeParse(exported);
  if (!parsed.success) {
    return {
      mistakes: parsed.error.issues.map((issue) => at(placeInWords(exported, issue.path), issueText(issue))),
    };
  }
  const config = parsed.data;
  const mistakes = relationMistakes(config);
  return mistakes.length > 0 ? { mistakes } : { config, shape: shapeOf(hash, config) };
}

function at(place: string, text: string): string {
  return place ? `${place}: ${text}` : text;
}

function relationMistakes(config: CheckedConfig): string[] {
  const mistakes: string[] = [];
  const workers = new Set(config.workers.map(({ name }) => name));
  for (const name of doubles(config.workers)) mistakes.push(`worker "${name}" is there twice; remove or rename one`);
  mistakes.push(...hostMistakes(config));
  for (const name of doubles(config.projects)) mistakes.push(`project "${name}" is there twice; remove or rename one`);
  for (const name of doubles(config.reporters ?? [])) {
    mistakes.push(`reporter "${name}" is there twice; give one of them another name`);
  }
  mistakes.push(...dependsOnMistakes(config.projects));
  mistakes.push(...pollMistakes(config.projects));
  mistakes.push(...chainMistakes(config.projects));
  for (const project of config.projects) {
    const inProject = `project "${project.name}"`;
    for (const name of doubles(project.builders)) {
      mistakes.push(`${inProject}: builder "${name}" is there twice; remove or rename one`);
    }
    mistakes.push(...schedulerMistakes(project));
    if (!project.source && project.hook) {
      mistakes.push(`${inProject}: it has a hook and no source; give it git(url), or remove the hook`);
    }
    for (const builder of project.builders) {
      const place = `${inProject}, builder "${builder.name}"`;
      for (const worker of writtenNames(builder.workers)) {
        if (workers.has(worker)) continue;
        mistakes.push(
          `${place}: worker "${worker}" is not among the workers; add worker('${worker}') or correct the name`,
        );
      }
      if (selectWorkers(builder.workers, config.workers).length === 0) {
        const selector = showSelector(builder.workers);
        const text = selector === '' ? 'name at least one worker' : `no worker has ${selector}; correct the labels`;
        mistakes.push(`${place}, workers: ${text}`);
      }
      const rule = lostRule(builder.whenWorkerLost);
      const leastMs = GRACE_HEARTBEATS * heartbeatOf(config);
      if (rule !== 'wait' && rule.retryAfterMs < leastMs) {
        mistakes.push(
          `${place}: whenWorkerLost retries after ${showDuration(rule.retryAfterMs)}, but a worker is known to be lost only after ${GRACE_HEARTBEATS} heartbeats; write ${showDuration(leastMs)} or more, or a shorter heartbeat`,
        );
      }
      for (const { name } of builder.steps.filter(needsSource)) {
        if (project.source) continue;
        mistakes.push(`${place}, step "${name}": the project has no source; give it git(url), or the step a url`);
      }
    }
  }
  return [
    ...mistakes,
    ...triggerMistakes(config),
    ...checkoutMistakes(config),
    ...lockMistakes(config),
    ...secretMistakes(config),
  ];
}

function hostMistakes({ hosts = [], workers }: CheckedConfig): string[] {
  const used = new Set(workers.map(({ host }) => host));
  return [
    ...doubles(hosts).map((name) => `host "${name}" is there twice; remove or rename one`),
    ...hosts
      .filter(({ name }) => !used.has(name))
      .map(
        ({ name }) => `host "${name}": no worker is there; write worker('…', { host: '${name}' }) or correct the name`,
      ),
  ];
}

function needsSource({ made }: CheckedBuilder['steps'][number]): boolean {
  return made?.of === 'checkout' && made['url'] === undefined;
}

function shapeOf(hash: string, config: CheckedConfig): ConfigShape {
  const { title, properties, reporters = [], hosts = [], secrets, workers, projects } = config;
  return {
    hash,
    title,
    heartbeatMs: heartbeatOf(config),
    troubles: troubleRules(config),
    ...(config.keep && { keep: keepShape(config.keep) }),
    ...(properties && { properties }),
    reporters: reporters.map(reporterShape),
    hosts: hosts.map(({ name, maxBuilds, startSpacing }) => ({
      name,
      ...(maxBuilds !== undefined && { maxBuilds }),
      ...(startSpacing !== undefined && { startSpacingMs: parseDuration(startSpacing) }),
    })),
    workers: workers.map(({ name, maxBuilds = 1, labels, startSpacing, host, owner, missingAfter, properties }) => ({
      name,
      maxBuilds,
      ...(labels !== undefined && { labels: labelsOf(labels) }),
      ...(startSpacing !== undefined && { startSpacingMs: parseDuration(startSpacing) }),
      ...(host !== undefined && { host }),
      ...(owner !== undefined && { owner }),
      ...(missingAfter !== undefined && { missingAfterMs: parseDuration(missingAfter) }),
      ...(properties && { properties }),
    })),
    locks: lockShapes(config),
    ...(secrets && { secrets: secretShapes(secrets) }),
    projects: projects.map((project) => projectShape(project, workers)),
  };
}

function reporterShape(reporter: CheckedReporter): ReporterShape {
  const { kind, name } = reporter;
  if (kind === 'webhook') {
    const { url, secretFile } = reporter;
    return { kind, name, url, ...(secretFile !== undefined && { secretFile }) };
  }
  const { host, port, secure = false, user, passwordFile } = reporter.smtp;
  const login = user !== undefined && passwordFile !== undefined ? { user, passwordFile } : undefined;
  return {
    kind,
    name,
    from: reporter.from,
    to: [...new Set(reporter.to)],
    smtp: { host, port, secure, ...(login && { login }) },
  };
}

function projectShape(project: CheckedProject, workers: CheckedConfig['workers']): ProjectShape {
  const {
    name,
    description,
    source,
    builders,
    schedulers = [],
    hook,
    forks = 'approve',
    trustedAuthors,
    access,
  } = project;
  return {
    name,
    ...(description !== undefined && { description }),
    ...(source && { source: sourceShape(source, hook?.skip) }),
    builders: builders.map((builder) => ({
      ...builderShape(builder, source?.url, workers),
      ...builderRequestsShape(builder, project),
    })),
    ...projectRequestsShape(project),
    ...(project.keep && { keep: keepShape(project.keep) }),
    ...(hook && { hook: hookShape(hook) }),
    ...(forks !== 'approve' && { forks }),
    ...(trustedAuthors && { trustedAuthors }),
    ...(access && { access: accessShape(access) }),
    schedulers: schedulers.map((scheduler) => schedulerShape(scheduler, project)),
  };
}

function accessShape({ read, control }: NonNullable<CheckedProject['access']>): Access {
  return { ...(read && { read }), ...(control && { control }) };
}

function heartbeatOf({ heartbeat }: CheckedConfig): number {
  return heartbeat === undefined ? HEARTBEAT_MS : parseDuration(heartbeat);
}

function troubleRules({ troubles = {} }: CheckedConfig): TroubleRules {
  const { missingAfter, flapping, fullAfter } = troubles;
  return {
    missingAfterMs: missingAfter === undefined ? TROUBLE_RULES.missingAfterMs : parseDuration(missingAfter),
    flapping: flapping
      ? { connections: flapping.connections, withinMs: parseDuration(flapping.within) }
      : TROUBLE_RULES.flapping,
    fullAfterMs: fullAfter === undefined ? TROUBLE_RULES.fullAfterMs : parseDuration(fullAfter),
  };
}

function builderShape(builder: CheckedBuilder, url: string | undefined, all: CheckedConfig['workers']): BuilderShape {
  const {
    name,
    description,
    tags = [],
    workers,
    env = {},
    properties,
    logLimit,
    whenWorkerLost,

    steps,
  } = builder;
  const functions = functionShapes(builder);
  const secrets = secretsOfBuilder(builder);
  return {
    name,
    ...(description !== undefined && { description }),
    ...(tags.length > 0 && { tags: [...new Set(tags)] }),
    workers: selectWorkers(workers, all),
    env: typeof env === 'function' ? {} : env,
    ...(secrets.length > 0 && { secrets }),
    ...(properties && { properties }),
    ...(logLimit !== undefined && { logLimit }),
    whenWorkerLost: lostRule(whenWorkerLost),
    ...(functions && { functions }),
    locks: accessShapes(literalLocks(builder)),
    steps: stepShapes(steps),
    takesPatches: steps.some(({ made }) => made?.of === 'checkout' && takesPatches(made, url)),
  };
}

/** A checkout of another repository or branch than the build's has nothing to do with its patch. */
function takesPatches(made: Readonly<Record<string, unknown>>, url: string | undefined): boolean {
  return made['branch'] === undefined && (made['url'] === undefined || made['url'] === url);
}

function lostRule(given: CheckedBuilder['whenWorkerLost']): WhenWorkerLost {
  if (given === undefined) return WHEN_WORKER_LOST;
  return given === 'wait' ? 'wait' : { retryAfterMs: parseDuration(given.retryAfter) };
}
