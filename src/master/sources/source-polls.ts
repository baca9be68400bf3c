import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorText } from '../../base/errors.ts';
import type { ConfigShape, ProjectShape } from '../../config/shape.ts';
import type { SourceView } from '../views/source.ts';
import type { PollOutcome } from './poll-repository.ts';
import { mirrorName, repositoriesOf } from './repository.ts';
import { RepositoryPoll } from './repository-poll.ts';
import type { RepositoryPollOptions } from './repository-poll.ts';
import { GitRunner } from './run-git.ts';
import { SourceError } from './source-error.ts';

export interface SourcePollsOptions extends Omit<RepositoryPollOptions, 'git'> {
  readonly config: () => Pick<ConfigShape, 'projects'>;
}

/** Polls each repository of the configuration in its time, or when somebody wants it now. */
export class SourcePolls {
  readonly #options: SourcePollsOptions;
  readonly #git: GitRunner;
  readonly #polls = new Map<string, RepositoryPoll>();
  #looking: Promise<void> = Promise.resolve();
  #isOpen = false;

  constructor(options: SourcePollsOptions) {
    const take: RepositoryPollOptions['take'] = (project, change) => options.take(this.#current(project), change);
    this.#options = { ...options, take };
    this.#git = new GitRunner(options.clock);
  }

  open(): void {
    this.#isOpen = true;
    this.look();
  }

  /** The configuration may be another one. */
  look(): void {
    this.#looking = this.#looking
      .then(() => this.#look())
      .catch((error: unknown) => {
        this.#options.logger.error('sources are not polled as the configuration says; a reload tries again', {
          error: errorText(error),
        });
      });
  }

  /** Polls now; after the poll that is under way, which may have asked too early. Undefined: nobody wants it polled. */
  async poll(url: string): Promise<PollOutcome | undefined> {
    await this.#looking;
    return await this.#polls.get(url)?.now();
  }

  async list(): Promise<readonly SourceView[]> {
    await this.#looking;
    const known = new Map((await this.#options.store.sources.list()).map((record) => [record.url, record]));
    return [...this.#polls.values()].map((poll) => poll.view(known.get(poll.url)));
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    this.#git.close();
    await this.#looking;
    await Promise.all([...this.#polls.values()].map((poll) => poll.close()));
  }

  async #look(): Promise<void> {
    if (!this.#isOpen) return;
    const { config, store, mirrorsDir } = this.#options;
    await mkdir(mirrorsDir, { recursive: true, mode: 0o700 });
    const repositories = repositoriesOf(config());
    for (const [url, poll] of this.#polls) {
      if (repositories.has(url)) continue;
      this.#polls.delete(url);
      await poll.close();
    }
    const known = new Map((await store.sources.list()).map((record) => [record.url, record]));
    for (const [url, repository] of repositories) {
      const poll = this.#polls.get(url);
      if (poll) poll.change(repository);
      else this.#polls.set(url, new RepositoryPoll({ ...this.#options, git: this.#git }, repository, known.get(url)));
    }
    await this.#removeMirrors(new Set([...repositories.keys()].map(mirrorName)));
  }

  /** As the configuration has it now: to fetch may have taken long. */
  #current({ name, source }: ProjectShape): ProjectShape {
    const project = this.#options.config().projects.find((one) => one.name === name);
    if (project && project.source?.url === source?.url) return project;
    throw new SourceError('stopped', `project ${name} has another source now`);
  }

  /** What nobody polls any more takes no room. */
  async #removeMirrors(kept: ReadonlySet<string>): Promise<void> {
    const { mirrorsDir, logger } = this.#options;
    for (const name of await readdir(mirrorsDir)) {
      if (kept.has(name)) continue;
      await rm(join(mirrorsDir, name), { recursive: true, force: true });
      logger.info('the mirror of a repository that is not polled any more was removed', { mirror: name });
    }
  }
}
