import { plain } from '../../base/plain.ts';
import { ulid } from '../../base/ulid.ts';
import type { ConfigShape, ReporterShape } from '../../config/shape.ts';
import { addressesOf } from '../../model/mail-address.ts';
import type { NewMessage } from '../../model/outbox.ts';
import type { Trouble } from '../../model/trouble.ts';
import { troubleView } from '../operator-views.ts';

const SUBJECT_MAX = 200;

/** What is told of a trouble that begins, or (with its `untilMs`) ends: to each webhook, and by mail to its owner and whoever else is named. */
export function troubleMessages(
  { title, reporters }: Pick<ConfigShape, 'title' | 'reporters'>,
  trouble: Trouble,
  atMs: number,
): readonly NewMessage[] {
  const { id, worker, kind, sinceMs, untilMs, text, endText, owner } = trouble;
  const isOver = untilMs !== undefined;
  const news = `${worker} is ${isOver ? 'no longer ' : ''}${kind}`;
  const subject = plain(`${title}: ${news}`).slice(0, SUBJECT_MAX);
  const lines = [
    `${news}: ${isOver ? (endText ?? 'it ended') : text}`,
    ...(isOver ? [`It was: ${text}`] : []),
    `Since ${moment(sinceMs)}${isOver ? `, until ${moment(untilMs)}` : ''}. Trouble ${id}; "worker show ${worker}" tells more.`,
  ];
  const body = {
    event: isOver ? 'trouble.end' : 'trouble.begin',
    farm: title,
    trouble: { ...troubleView(trouble) },
    text: lines.map((line) => `${plain(line)}\n`).join(''),
  };
  return reporters.flatMap((reporter) =>
    receivers(reporter, owner).map((to) => ({ key: ulid(atMs), reporter: reporter.name, to, subject, body })),
  );
}

function receivers(reporter: ReporterShape, owner: string | undefined): readonly string[] {
  if (reporter.kind === 'mail') return [...new Set([...addressesOf(owner), ...reporter.to])];
  // The rest of a URL may be as good as a password.
  return [new URL(reporter.url).origin];
}

/** `2026-11-21 06:13:43 UTC`. */
function moment(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
