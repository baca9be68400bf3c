import type { Migration } from './migration.ts';

/** What tests did, by build and by test; and what each call that brought results brought in all. */
export const testResults: Migration = (schema) =>
  schema
    .createTable('test_results', (table) => {
      table.increments('id');
      table.integer('build_id').notNullable().references('builds.id');
      table.integer('step').notNullable();
      table.text('command').notNullable();
      table.integer('seq').notNullable();
      table.text('identity').notNullable();
      table.boolean('is_aside').notNullable();
      table.text('suite').notNullable();
      table.text('name').notNullable();
      table.text('state').notNullable();
      table.bigInteger('duration_ms');
      table.text('message');
      table.text('detail');
      table.unique(['command', 'seq']);
      table.index(['build_id', 'state']);
      table.index(['identity', 'build_id']);
    })
    .createTable('test_reports', (table) => {
      table.text('command').primary();
      table.integer('build_id').notNullable().references('builds.id');
      table.integer('step').notNullable();
      table.integer('passed').notNullable();
      table.integer('failed').notNullable();
      table.integer('errors').notNullable();
      table.integer('skipped').notNullable();
      table.integer('left_out').notNullable();
      table.text('revision');
      table.index(['build_id']);
    });
