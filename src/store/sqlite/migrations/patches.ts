import type { Migration } from './migration.ts';

/** A source stamp may have a patch on top of its revision; the patch itself is a file. */
export const patches: Migration = (schema) =>
  schema.alterTable('source_stamps', (table) => {
    table.text('patch_id');
    table.text('patch_sha256');
    table.bigInteger('patch_bytes');
  });
