import type { WorkerParts } from './worker-parts.ts';

/**
 * The master has withdrawn this worker and has given up all that runs here: nobody will ask for any of it again. Resolves to
 * how many commands are being ended.
 */
export async function endAllCommands({ commands, orders }: WorkerParts): Promise<number> {
  const held = await commands.list();
  for (const { command } of held) void orders.push(`command ${command}`, () => commands.forget(command));
  return held.length;
}
