/** What many a `master.cfg` has, said here; behind each part stands what it was there. */
import {
  after,
  anyBranch,
  builder,
  checkout,
  choice,
  defineMaster,
  force,
  git,
  masterLock,
  nightly,
  onChange,
  project,
  sh,
  trigger,
  triggerable,
  worker,
  workerLock,
} from 'trunkline';

// util.MasterLock('licences', maxCount=2), util.WorkerLock('disk')
const licences = masterLock('licences', { slots: 2 });
const disk = workerLock('disk');

const LINUX = ['linux-1', 'linux-2'];

export default defineMaster({
  title: 'Editor', // c['title']
  // worker.Worker('linux-1', PASSWORD, max_builds=4): its key is let in by `worker invite`, nothing secret stands here
  workers: LINUX.map((name) => worker(name, { maxBuilds: 4, owner: 'mailto:farm@example.org' })),
  projects: [
    project('editor', {
      // changes.GitPoller(repourl=…, branches=['main', …], pollInterval=300)
      source: git('https://git.example.org/editor.git', {
        branch: 'main',
        poll: '5m',
        branches: ['main', 'release/*'],
      }),
      builders: [
        // util.BuilderConfig(name='quick', workernames=LINUX, factory=…, collapseRequests=True)
        builder('quick', {
          workers: LINUX,
          collapse: true,
          steps: [checkout(), sh('make', 'make'), sh('check', 'make check', { timeout: '10m' })],
        }),
        // locks=[licences.access('counting')], and steps.Trigger(schedulerNames=['packages'], waitForFinish=True)
        builder('full', {
          workers: LINUX,
          locks: [licences.counting()],
          env: { SANITIZE: 'address' },
          steps: [
            checkout(),
            sh('make', 'make', { locks: [disk.exclusive()] }),
            sh('check', 'make check', { haltOnFailure: false }),
            trigger('packages', { schedulers: ['packages'], wait: true }),
          ],
        }),
        ...['deb', 'rpm'].map((kind) =>
          builder(kind, { workers: LINUX, steps: [checkout(), sh('package', `make ${kind}`)] }),
        ),
        builder('docs', { workers: LINUX, steps: [checkout(), sh('make', 'make docs')] }),
      ],
      schedulers: [
        // schedulers.SingleBranchScheduler(name='main', change_filter=util.ChangeFilter(branch='main'), treeStableTimer=60)
        onChange({ name: 'main', branch: 'main', quiet: '1m', builders: ['quick'] }),
        // schedulers.AnyBranchScheduler(name='releases', treeStableTimer=300, fileIsImportant=…)
        anyBranch({
          name: 'releases',
          branch: 'release/*',
          quiet: '5m',
          fileIsImportant: '!**/*.md',
          builders: ['full'],
        }),
        // schedulers.Nightly(name='nightly', hour=3, onlyIfChanged=True)
        nightly('0 3 * * *', { zone: 'Europe/Berlin', onlyIfChanged: true, builders: ['full'] }),
        // schedulers.Dependent(name='docs', upstream=main)
        after('main', { name: 'docs', builders: ['docs'] }),
        // schedulers.Triggerable(name='packages')
        triggerable('packages', { builders: ['deb', 'rpm'] }),
        // schedulers.ForceScheduler(name='force', properties=[util.ChoiceStringParameter(…)])
        force({
          builders: ['quick', 'full'],
          parameters: { target: choice(['debug', 'release'], { default: 'debug' }) },
        }),
      ],
    }),
  ],
});
