import { BUILDER_RULES } from '../../model/request-rules.ts';
import type { BuilderRules, RequestRule, SchedulerRules } from '../../model/request-rules.ts';
import type { Transaction } from './batch-writer.ts';

const FORGET = 'DELETE FROM request_rules';
const KEEP = `INSERT INTO request_rules (noun, project, name, rules)
  SELECT value ->> 'noun', value ->> 'project', value ->> 'name', value -> 'rules' FROM json_each(?)`;
const FIND = 'SELECT rules FROM request_rules WHERE noun = ? AND project = ? AND name = ?';

/** Puts the rules of a configuration in the place of those that were active before. */
export async function keepRules(transaction: Transaction, rules: readonly RequestRule[]): Promise<void> {
  await transaction.run(FORGET);
  await transaction.run(KEEP, JSON.stringify(rules));
}

export async function builderRules(transaction: Transaction, project: string, builder: string): Promise<BuilderRules> {
  const row = await transaction.get<{ rules: string }>(FIND, 'builder', project, builder);
  return row ? (JSON.parse(row.rules) as BuilderRules) : BUILDER_RULES;
}

export async function schedulerRules(
  transaction: Transaction,
  project: string,
  scheduler: string,
): Promise<SchedulerRules | undefined> {
  const row = await transaction.get<{ rules: string }>(FIND, 'scheduler', project, scheduler);
  return row && (JSON.parse(row.rules) as SchedulerRules);
}
