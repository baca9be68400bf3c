import type { Migration } from './migration.ts';

/** What a step says of itself, and that it is not worth a look. */
export const stepWords: Migration = (schema) =>
  schema.alterTable('steps', (table) => {
    table.text('description');
    table.boolean('is_hidden').notNullable().defaultTo(false);
  });
