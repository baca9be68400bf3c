import { FakeClock } from '../../../../src/base/fake-clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { openStore } from '../../../../src/store/open-store.ts';
import { SchedulerStand } from './scheduler-stand.ts';
import { STORIES } from './stories.ts';

/** `story-main FILE ARCHIVE STORY START_MS N before|after`: goes through a story, and dies around its n-th commit, if there are as many. */
const [file = '', archiveDir = '', name = '', startMs = '', n = '', phase = ''] = process.argv.slice(2);
const clock = new FakeClock(Number(startMs));
const store = await openStore({
  file,
  archiveDir,
  clock,
  logger: silentLogger,
  onCommit(point) {
    if (point.n === Number(n) && point.phase === phase) process.kill(process.pid, 'SIGKILL');
  },
});
const story = STORIES[name as keyof typeof STORIES];
await story.run(new SchedulerStand(store, clock, story.projects));
await store.close();
process.stdout.write('done');
