import { builder, checkout, defineMaster, force, git, project, sh, worker } from 'trunkline';

export default defineMaster({
  title: 'A small farm',
  workers: [worker('sid')],
  projects: [
    project('hello', {
      source: git('https://git.example.org/hello.git'),
      builders: [
        builder('debian', {
          workers: ['sid'],
          steps: [checkout(), sh('build', 'make'), sh('test', 'make check')],
        }),
      ],
      schedulers: [force()],
    }),
  ],
});
