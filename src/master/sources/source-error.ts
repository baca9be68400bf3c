export type SourceErrorCode =
  'git' | 'gone' | 'unreachable' | 'refused' | 'host-key' | 'slow' | 'large' | 'moved' | 'damaged' | 'stopped';

/** What git says (in English, `LC_ALL=C`), what that means, and what to do; the first that fits. */
const MEANINGS: readonly (readonly [RegExp, SourceErrorCode, string])[] = [
  [/Host key verification failed|REMOTE HOST IDENTIFICATION/i, 'host-key', 'its host key is not in knownHostsFile'],
  [/Permission denied|publickey|Load key/i, 'refused', 'it does not let our ssh key in'],
  [
    /Authentication failed|could not read (Username|Password)|terminal prompts disabled|error: 40[13]/i,
    'refused',
    'it wants a user and a password, or refuses ours',
  ],
  [/couldn't find remote ref/i, 'moved', 'a branch went away meanwhile'],
  [
    /Could not resolve|Connection (refused|timed out|closed|reset)|Network is unreachable|unable to access|unable to connect|No route to host|timed out/i,
    'unreachable',
    'it cannot be reached',
  ],
  [
    /not found|does not appear to be a git repository|does not exist|not a git repository|Could not read from remote/i,
    'gone',
    'there is no repository',
  ],
  [/No space left|Disk quota/i, 'large', 'there is no room left on the disk of the master'],
];
const SAID_CHARACTERS = 300;
/** Of a shell that does not find what it is to run. */
const NO_PROGRAM = 127;

/** Why a repository could not be polled, in one line for people. */
export class SourceError extends Error {
  override readonly name = 'SourceError';
  readonly code: SourceErrorCode;

  constructor(code: SourceErrorCode, message: string) {
    super(message);
    this.code = code;
  }

  /** Of what git complained of when it ended with a status. */
  static ofGit(complaint: string, status: number | null): SourceError {
    if (status === NO_PROGRAM) return new SourceError('git', 'git is not installed on the master’s machine');
    const lines = complaint.split(/[\r\n]+/).filter((line) => line.trim() !== '');
    const fatal = lines.filter((line) => /^(fatal|error|ssh|ERROR|remote):|denied|failed/i.test(line));
    const said = (fatal.length > 0 ? fatal : lines).join('; ').slice(0, SAID_CHARACTERS) || `status ${status}`;
    const [, code, meaning] = MEANINGS.find(([pattern]) => pattern.test(complaint)) ?? [];
    return new SourceError(
      code ?? 'git',
      meaning === undefined ? `git says: ${said}` : `${meaning}; git says: ${said}`,
    );
  }
}
