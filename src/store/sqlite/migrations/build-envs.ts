import type { Migration } from './migration.ts';

/** What a builder's function said of the environment of one build. */
export const buildEnvs: Migration = (schema) =>
  schema.createTable('build_envs', (table) => {
    table.integer('build_id').primary();
    table.text('env').notNullable();
  });
