import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/logger.ts';
import { loadConfig } from '../config/load-config.ts';
import { openCodeHost } from '../config/open-code-host.ts';
import { unknownInAccess } from '../model/access.ts';
import { SecretBook } from './secrets/secret-book.ts';
import { webAddress } from './web-door.ts';
import { masterPaths, readHostKey, readSettings } from './master-dir.ts';
import { readKeyFolders } from './people/key-folders.ts';

/** Loads and checks what a master's folder holds, changes nothing; tells what is there in lines, throws a UserMistake. */
export async function checkMaster(dir: string): Promise<readonly string[]> {
  const paths = masterPaths(dir);
  const { listen, web } = await readSettings(paths);
  const { host, port } = listen;
  const { fingerprint } = await readHostKey(paths);
  const codeHost = openCodeHost({ logger: silentLogger });
  try {
    const { hash, shape } = await loadConfig(paths.config, codeHost);
    const people = new Set((await readKeyFolders(paths.keysDir)).files.map(({ name }) => name));
    const unreadable = await new SecretBook({ dir, clock: systemClock }).mistakes(shape.secrets);
    const builders = shape.projects.reduce((sum, project) => sum + project.builders.length, 0);
    return [
      `${paths.config}: "${shape.title}", ${count(shape.projects.length, 'project')}, ${count(builders, 'builder')}, ${count(shape.workers.length, 'worker')} (${hash.slice(0, 12)})`,
      `listens on ${host}:${port}, host key ${fingerprint}`,
      `web address ${webAddress(web)}${web.isListening ? '' : ', through the SSH port only'}`,
      ...[...unknownInAccess(shape.projects, people), ...unreadable].map((line) => `warning: ${line}`),
    ];
  } finally {
    await codeHost.close();
  }
}

function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? '' : 's'}`;
}
