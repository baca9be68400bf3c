import type { JsonObject } from '../../model/json.ts';
import { virtualBuilderOf } from '../../model/virtual-builder.ts';
import type { KnownVirtual } from '../builder-store.ts';
import type { Transaction } from './batch-writer.ts';
import type { Connection } from './connection.ts';
import { fromJson, orNull } from './row.ts';

const PROPERTIES = `SELECT b.project, b.builder, p.name, p.value FROM builds b JOIN properties p ON p.build_id = b.id
  WHERE b.id = ? AND p.name LIKE 'virtual_builder_%'`;
const NOTE = 'INSERT INTO virtual_builds (build_id, project, name) VALUES (?, ?, ?)';
const KEEP = `INSERT INTO virtual_builders (project, name, builder, description, tags) VALUES (?, ?, ?, ?, ?)
  ON CONFLICT (project, name) DO UPDATE SET builder = excluded.builder, description = excluded.description, tags = excluded.tags`;
const ALL = 'SELECT project, name, builder, description, tags FROM virtual_builders ORDER BY project, name';
export const LAST_VIRTUAL_ENDS = `SELECT t.value ->> 'project' AS project, t.value ->> 'builder' AS builder, last.id, last.number, last.result,
    last.finished_at_ms AS finishedAtMs
  FROM json_each(?) t JOIN builds last ON last.id = (
    SELECT b.id FROM virtual_builds v JOIN builds b ON b.id = v.build_id
    WHERE v.project = t.value ->> 'project' AND v.name = t.value ->> 'builder' AND +b.state = 'finished'
    ORDER BY v.build_id DESC LIMIT 1)`;

interface PropertyRow {
  readonly project: string;
  readonly builder: string;
  readonly name: string;
  readonly value: string;
}

/** Notes what a build that begins is shown as; later changes of its properties change nothing of that. */
export async function noteVirtualBuilder(transaction: Transaction, buildId: number): Promise<void> {
  const rows = await transaction.all<PropertyRow>(PROPERTIES, buildId);
  const [first] = rows;
  if (!first) return;
  const { project, builder } = first;
  const properties: JsonObject = Object.fromEntries(rows.map(({ name, value }) => [name, fromJson(value)]));
  const shown = virtualBuilderOf(properties);
  if (!shown || shown.name === builder) return;
  const { name, description, tags } = shown;
  await transaction.run(NOTE, buildId, project, name);
  await transaction.run(KEEP, project, name, builder, orNull(description), JSON.stringify(tags));
}

export async function listVirtualBuilders(reader: Connection): Promise<readonly KnownVirtual[]> {
  const rows = await reader.all<
    Omit<KnownVirtual, 'tags' | 'description'> & { description: string | null; tags: string }
  >(ALL);
  return rows.map(({ description, tags, ...row }) => ({
    ...row,
    ...(description !== null && { description }),
    tags: fromJson(tags) as readonly string[],
  }));
}
