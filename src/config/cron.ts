import { Cron } from 'croner';

/** Times by the calendar and the clock of a zone. */
export interface CronRule {
  /** Minute, hour, day of the month, month, day of the week. */
  readonly at: string;
  /** A name of the IANA database. */
  readonly zone: string;
}

export const CRON_RULE = "write five fields, minute, hour, day, month and day of the week: '0 3 * * *'";
export const ZONE_RULE = "write a time zone like 'UTC' or 'Europe/Berlin'";
const FIVE_FIELDS = /^\S+(?: +\S+){4}$/;
/** From here on is looked for the first time of a rule that is checked; a leap day is not far. */
const SOME_DAY_MS = Date.UTC(2026, 0, 1);

/**
 * The first time after `afterMs`, UTC ms; undefined: there is none. A fixed time of the day comes once on each day: also when the
 * clocks go back over it (the first time), and when they go forward over it (at once after the gap). What goes by steps or `*` in
 * minute or hour goes on by real time. Throws for a rule that is none.
 */
export function nextCronMs({ at, zone }: CronRule, afterMs: number): number | undefined {
  const rule = new Cron(at, { mode: '5-part', timezone: zone, fixedTimeRule: 'no-wildcard', paused: true });
  return rule.nextRun(new Date(afterMs))?.getTime();
}

/** What is wrong with a rule, for people; undefined: nothing is. */
export function cronMistake({ at, zone }: CronRule): string | undefined {
  if (!isZone(zone)) return `${JSON.stringify(zone)} is no time zone: ${ZONE_RULE}`;
  if (!FIVE_FIELDS.test(at)) return `${JSON.stringify(at)} is no rule for times: ${CRON_RULE}`;
  try {
    if (nextCronMs({ at, zone }, SOME_DAY_MS) !== undefined) return undefined;
  } catch {
    // What to write is the same, whatever is wrong.
    return `${JSON.stringify(at)} is no rule for times: ${CRON_RULE}`;
  }
  return `${JSON.stringify(at)} never comes: there is no such day`;
}

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: zone }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
