import type { Rebuilds } from '../store.ts';
import type { Connection } from './connection.ts';

/** Of a whole set that was wanted again, each build is a rebuild of the one of its own builder. */
const OF = `SELECT max(o.id) AS id FROM builds b
    JOIN build_requests r ON r.id = b.request_id JOIN build_sets s ON s.id = r.build_set_id
    JOIN builds wanted ON wanted.id = s.rebuilt_of JOIN build_requests w ON w.id = wanted.request_id
    JOIN build_requests other ON other.build_set_id = w.build_set_id AND other.project = r.project AND other.builder = r.builder
    JOIN builds o ON o.request_id = other.id
  WHERE b.id = ?`;
const AS = `SELECT max(n.id) AS id FROM builds b JOIN build_requests r ON r.id = b.request_id
    JOIN build_requests other ON other.build_set_id = r.build_set_id JOIN builds wanted ON wanted.request_id = other.id
    JOIN build_sets s ON s.rebuilt_of = wanted.id
    JOIN build_requests again ON again.build_set_id = s.id AND again.project = r.project AND again.builder = r.builder
    JOIN builds n ON n.request_id = again.id
  WHERE b.id = ? GROUP BY again.id ORDER BY 1`;

/** See `BuildStore.rebuilds`. */
export async function rebuildsOf(reader: Connection, id: number): Promise<Rebuilds> {
  const [of, as] = await Promise.all([reader.get<{ id: number | null }>(OF, id), reader.all<{ id: number }>(AS, id)]);
  return { ...(of && of.id !== null && { of: of.id }), as: as.map((build) => build.id) };
}
