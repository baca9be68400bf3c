import type { Migration } from './migration.ts';

/**
 * What may become of a request beside being built: it is collapsed into a newer one or superseded by it (`lane`: the requests
 * that may), tried again after a pause, given up at a deadline, ended with its set, or held for its upstream projects. The rules
 * of the active configuration are rows, too, so that whoever adds a build set keeps to them in the same transaction.
 */
export const requestLives: Migration = (schema) =>
  schema
    .alterTable('build_sets', (table) => {
      table.text('origin').notNullable().defaultTo('person');
      table.integer('rebuilt_of');
      table.boolean('cancel_rest').notNullable().defaultTo(false);
    })
    .alterTable('build_requests', (table) => {
      table.bigInteger('not_before_ms');
      table.bigInteger('deadline_ms');
      table.bigInteger('rank_at_ms');
      table.integer('collapsed_into');
      table.text('cause');
      table.text('lane');
      table.index(['lane', 'state', 'id']);
      table.index(['project', 'state', 'id']);
      table.index(['collapsed_into']);
      table.index(['state', 'deadline_ms']);
    })
    .alterTable('builds', (table) => {
      table.text('retry_cause');
    })
    .createTable('request_rules', (table) => {
      table.text('noun').notNullable();
      table.text('project').notNullable();
      table.text('name').notNullable();
      table.text('rules').notNullable();
      table.primary(['noun', 'project', 'name']);
    })
    .createTable('request_upstreams', (table) => {
      table.integer('request_id').notNullable().references('build_requests.id');
      table.integer('upstream_id').notNullable().references('build_requests.id');
      table.boolean('is_needed').notNullable();
      table.primary(['request_id', 'upstream_id']);
      table.index(['upstream_id']);
    });
