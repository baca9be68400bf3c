import type { RequestView } from '../../src/master/views/request.ts';
import { Farm } from '../support/farm.ts';
import { until } from '../support/until.ts';
import { figure, quantile } from './figure.ts';
import type { Figure } from './figure.ts';

const SAMPLES = 60;
const WARM = 10;

/**
 * An idle master: from the moment a request is in the queue to the moment its process runs, by the process's own clock.
 * Milliseconds; without a peer.
 */
export async function dispatch(): Promise<readonly Figure[]> {
  const farm = await Farm.create();
  try {
    await farm.config(`
import { builder, defineMaster, force, project, sh, worker } from 'trunkline';
export default defineMaster({ title: 'Bench', workers: [worker('w')], projects: [project('p', {
  builders: [builder('b', { workers: ['w'], steps: [sh('time', ['date', '+%s%3N'])] })], schedulers: [force()] })] });
`);
    await farm.startMaster();
    await farm.addWorker('w');
    await farm.startWorker('w');
    await farm.workerIs('w', 'connected');
    const took: number[] = [];
    for (let i = 0; i < WARM + SAMPLES; i++) {
      const { text } = await farm.ssh(['force', 'p/b', '--json']);
      const { submittedAtMs } = JSON.parse(text) as RequestView;
      const build = await until('its build has ended', async () => {
        const [newest] = await farm.list();
        return newest?.number === i + 1 && newest.state === 'finished' ? newest : undefined;
      });
      const startedMs = Number((await farm.log(build.id, 'time')).toString());
      if (i >= WARM) took.push(startedMs - submittedAtMs);
    }
    return [0.5, 0.95].map((q) => figure(`dispatch, ${q === 0.5 ? 'median' : 'p95'}`, quantile(took, q), null, 'ms'));
  } finally {
    await farm.close();
  }
}
