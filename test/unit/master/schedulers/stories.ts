import { after, nightly, onChange } from '../../../../src/index.ts';
import type { Projects, SchedulerStand } from './scheduler-stand.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

interface Story {
  readonly projects: Projects;
  /** What a master does that may be killed at any commit of it. */
  readonly run: (stand: SchedulerStand) => Promise<void>;
  /** What the next one does, and whoever got no answer. */
  readonly goOn: (stand: SchedulerStand) => Promise<void>;
}

async function sendTwo(stand: SchedulerStand): Promise<void> {
  for (const revision of ['one', 'two']) await stand.change({ revision });
}

const quiet: Story = {
  projects: { p: [onChange({ branch: 'main', quiet: '1m' })] },
  async run(stand) {
    await sendTwo(stand);
    await stand.look();
    stand.clock.advance(MINUTE);
    await stand.look();
  },
  async goOn(stand) {
    await sendTwo(stand);
    await stand.look();
    stand.clock.advance(MINUTE);
    await stand.look();
  },
};

const time: Story = {
  projects: { p: [nightly('30 * * * *')] },
  async run(stand) {
    for (let hours = 0; hours < 3; hours++) {
      await stand.look();
      stand.clock.advance(HOUR);
    }
  },
  async goOn(stand) {
    await stand.look();
    await stand.look();
  },
};

const followed: Story = {
  projects: { p: [onChange({ branch: 'main', builders: ['b'] }), after('onChange', { builders: ['c'] })] },
  async run(stand) {
    await stand.look();
    await stand.change({ revision: 'one' });
    await stand.build('success', 'sha', 'onChange');
    await stand.look();
  },
  goOn: (stand) => followed.run(stand),
};

export const STORIES = { quiet, time, followed } as const;
