import { artifacts } from './migrations/artifacts.ts';
import { buildsByWorker } from './migrations/builds-by-worker.ts';
import { changeFields } from './migrations/change-fields.ts';
import { changeRevisions } from './migrations/change-revisions.ts';
import { changes } from './migrations/changes.ts';
import { hooks } from './migrations/hooks.ts';
import { externalIds } from './migrations/external-ids.ts';
import { filterProblems } from './migrations/filter-problems.ts';
import { hostKeys } from './migrations/host-keys.ts';
import { invitations } from './migrations/invitations.ts';
import { locks } from './migrations/locks.ts';
import type { Migration } from './migrations/migration.ts';
import { outbox } from './migrations/outbox.ts';
import { parents } from './migrations/parents.ts';
import { passes } from './migrations/passes.ts';
import { patches } from './migrations/patches.ts';
import { setAside } from './migrations/set-aside.ts';
import { schedulers } from './migrations/schedulers.ts';
import { queueLookups } from './migrations/queue-lookups.ts';
import { rebuilds } from './migrations/rebuilds.ts';
import { requestLives } from './migrations/request-lives.ts';
import { buildEnvs } from './migrations/build-envs.ts';
import { stepLinks } from './migrations/step-links.ts';
import { sources } from './migrations/sources.ts';
import { stepWords } from './migrations/step-words.ts';
import { retention } from './migrations/retention.ts';
import { schedulerStates } from './migrations/scheduler-states.ts';
import { testResults } from './migrations/test-results.ts';
import { troubles } from './migrations/troubles.ts';
import { virtualBuilders } from './migrations/virtual-builders.ts';
import { workerStates } from './migrations/worker-states.ts';

const first: Migration = (schema) =>
  schema
    .createTable('settings', (table) => {
      table.text('name').primary();
      table.text('value').notNullable();
    })
    .createTable('configs', (table) => {
      table.text('hash').primary();
      table.binary('bundle').notNullable();
      table.bigInteger('at_ms').notNullable();
    })
    .createTable('principals', (table) => {
      table.text('name').primary();
      table.text('role').notNullable();
      table.text('keys').notNullable();
      table.text('source').notNullable();
      table.bigInteger('revoked_at_ms');
    })
    .createTable('workers', (table) => {
      table.text('name').primary();
      table.text('install_id');
      table.text('boot_id');
      table.text('process_id');
      table.text('host');
      table.text('version');
      table.text('facts').notNullable();
      table.bigInteger('epoch').notNullable();
      table.boolean('is_connected').notNullable();
      table.bigInteger('since_ms');
    })
    .createTable('source_stamps', (table) => {
      table.increments('id');
      table.text('repository');
      table.text('branch');
      table.text('revision');
    })
    .createTable('build_sets', (table) => {
      table.increments('id');
      table.integer('source_stamp_id').notNullable().references('source_stamps.id');
      table.text('reason').notNullable();
      table.text('owner').notNullable();
      table.text('properties').notNullable();
      table.bigInteger('priority').notNullable();
      table.bigInteger('submitted_at_ms').notNullable();
    })
    .createTable('build_requests', (table) => {
      table.increments('id');
      table.integer('build_set_id').notNullable().references('build_sets.id');
      table.text('project').notNullable();
      table.text('builder').notNullable();
      table.text('state').notNullable();
      table.text('result');
      table.text('summary');
      table.bigInteger('finished_at_ms');
      table.index(['build_set_id']);
      table.index(['state', 'id']);
    })
    .createTable('builds', (table) => {
      table.increments('id');
      table.text('uid').notNullable().unique();
      table.integer('number').notNullable();
      table.integer('request_id').notNullable().unique().references('build_requests.id');
      table.text('project').notNullable();
      table.text('builder').notNullable();
      table.text('worker').notNullable();
      table.text('session').notNullable();
      table.bigInteger('fence').notNullable();
      table.text('config_hash').notNullable();
      table.text('state').notNullable();
      table.text('result');
      table.text('summary');
      table.text('stop_reason');
      table.bigInteger('started_at_ms').notNullable();
      table.bigInteger('finished_at_ms');
      table.unique(['project', 'builder', 'number']);
      table.index(['state', 'id']);
    })
    .createTable('seats', (table) => {
      table.text('session').primary();
      table.text('worker').notNullable();
      table.text('project').notNullable();
      table.text('builder').notNullable();
      table.integer('seat').notNullable();
      table.text('directory').notNullable();
      table.bigInteger('fence').notNullable();
      table.integer('build_id').references('builds.id');
      table.unique(['worker', 'project', 'builder', 'seat']);
      table.unique(['worker', 'directory']);
    })
    .createTable('steps', (table) => {
      table.integer('build_id').notNullable().references('builds.id');
      table.integer('step').notNullable();
      table.text('name').notNullable();
      table.text('state').notNullable();
      table.text('result');
      table.text('summary');
      table.bigInteger('started_at_ms');
      table.bigInteger('finished_at_ms');
      table.primary(['build_id', 'step']);
    })
    .createTable('properties', (table) => {
      table.integer('build_id').notNullable().references('builds.id');
      table.text('name').notNullable();
      table.text('value').notNullable();
      table.text('source').notNullable();
      table.primary(['build_id', 'name']);
    })
    .createTable('commands', (table) => {
      table.increments('seq');
      table.text('id').notNullable().unique();
      table.integer('build_id').notNullable().references('builds.id');
      table.integer('step').notNullable();
      table.text('key').notNullable();
      table.text('kind').notNullable();
      table.text('call').notNullable();
      table.text('state').notNullable();
      table.text('seen_by');
      table.text('answer');
      table.integer('answered_as');
      table.unique(['build_id', 'step', 'key']);
      table.unique(['build_id', 'step', 'answered_as']);
    })
    .createTable('logs', (table) => {
      table.increments('id');
      table.integer('build_id').notNullable().references('builds.id');
      table.integer('step').notNullable();
      table.text('name').notNullable();
      table.text('command').notNullable().unique();
      table.bigInteger('length').notNullable().defaultTo(0);
      table.bigInteger('lines').notNullable().defaultTo(0);
      table.boolean('is_complete').notNullable().defaultTo(false);
      table.bigInteger('completed_at_ms');
      // The log's bytes below sealed_length are in the archive's file, whose first file_length bytes are good.
      table.bigInteger('sealed_length').notNullable().defaultTo(0);
      table.bigInteger('file_length').notNullable().defaultTo(0);
      table.index(['build_id']);
    })
    .createTable('log_chunks', (table) => {
      table.integer('log_id').notNullable();
      table.bigInteger('offset').notNullable();
      table.bigInteger('length').notNullable();
      table.bigInteger('lines').notNullable();
      table.bigInteger('at_ms').notNullable();
      table.text('codec').notNullable();
      table.integer('size').notNullable();
      table.binary('body').notNullable();
      table.primary(['log_id', 'offset']);
    })
    .createTable('log_extents', (table) => {
      table.integer('log_id').notNullable();
      table.bigInteger('offset').notNullable();
      table.bigInteger('length').notNullable();
      table.bigInteger('lines').notNullable();
      table.bigInteger('at_ms').notNullable();
      table.text('codec').notNullable();
      table.bigInteger('file_offset').notNullable();
      table.bigInteger('file_length').notNullable();
      table.primary(['log_id', 'offset']);
    })
    .createTable('audit_log', (table) => {
      table.increments('id');
      table.bigInteger('at_ms').notNullable();
      table.text('who').notNullable();
      table.text('action').notNullable();
      table.text('target').notNullable();
      table.text('detail');
    });

/**
 * A request that is retried has several builds; a worker may hold its commands out of sight for longer than their builds say:
 * those known so far for ever, until they come as a version that keeps leases.
 */
const second: Migration = (schema) =>
  schema
    .alterTable('builds', (table) => {
      table.dropUnique(['request_id']);
      table.index(['request_id']);
    })
    .alterTable('workers', (table) => {
      table.bigInteger('lease_ms');
    })
    .raw(`UPDATE workers SET lease_ms = ${Number.MAX_SAFE_INTEGER}`);

export const MIGRATIONS: readonly Migration[] = [
  first,
  second,
  patches,
  workerStates,
  passes,
  invitations,
  hostKeys,
  changes,
  buildsByWorker,
  troubles,
  outbox,
  parents,
  setAside,
  schedulers,
  requestLives,
  locks,
  hooks,
  sources,
  filterProblems,
  schedulerStates,
  rebuilds,
  queueLookups,
  changeRevisions,
  stepLinks,
  changeFields,
  testResults,
  stepWords,
  retention,
  buildEnvs,
  externalIds,
  virtualBuilders,
  artifacts,
];
