import type { Knex } from 'knex';

/** One step of the schema, in words of knex, so that another database can be told the same. Never changed once released. */
export type Migration = (schema: Knex.SchemaBuilder) => Knex.SchemaBuilder;
