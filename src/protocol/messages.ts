import { LONGEST_SECRET_BYTES, MOST_SECRETS_OF_BUILD } from '../model/secret.ts';
import { LIMITS } from './limits.ts';
import { bytes, flag, integer, list, mapOf, matching, object, oneOf, optional, text } from './schema.ts';
import type { Checked } from './schema.ts';

/** Names of sessions and commands: they become names of folders, so no slash and no leading dot. */
const id = matching(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 200);
const name = matching(/^[A-Za-z0-9][A-Za-z0-9._-]*$/, 64);
const line = text(1_000);
const path = text(4_096);
const fence = integer(1);
const offset = integer();
const timeMs = integer();
/** So long the worker may be out of the master's sight; then it ends the command. */
const leaseMs = integer(1);
const sha256 = matching(/^[0-9a-f]{64}$/, 64);
/** `ssh-ed25519 BLOB`, as in a line of authorized_keys without its comment. */
const publicKey = text(200);
/** Of Ed25519 (RFC 8032), over what `keyProofText` says. */
const signature = bytes(64);
/** `SHA256:…`, as ssh-keygen -l prints it. */
const keyFingerprint = matching(/^SHA256:[A-Za-z0-9+/]{43}$/, 50);

/** How a command ended. `ended` says that we ended it, and why. */
export const outcome = object({
  /** exited, signalled: a process that ran. done: a file operation. refused: never started. unknown: its keeper was lost. */
  status: oneOf('exited', 'signalled', 'done', 'refused', 'unknown'),
  exitCode: optional(integer(0, 255)),
  signal: optional(text(16)),
  ended: optional(oneOf('silence', 'total', 'interrupt', 'deadline', 'forgotten')),
  message: optional(line),
  /** refused: what was asked for was in order, the worker could not do it (no keeper, no room, no folder). */
  fault: optional(oneOf('worker')),
  /** held: other processes kept the output open, and it was cut. lost: its end may be missing. */
  cut: optional(oneOf('held', 'lost')),
  /** Output that is no process's, but the worker's own line about the cut. */
  markBytes: optional(integer(1)),
  startedAtMs: timeMs,
  endedAtMs: timeMs,
  /** Answers of file operations and facts: size, sha256, … */
  facts: optional(mapOf(text(1_000), 100)),
});
export type Outcome = Checked<typeof outcome>;

/** What a command is to do. Paths are relative to the session's directory and may not leave it. */
export const commandSpec = object({
  kind: oneOf('run', 'mkdir', 'remove', 'put', 'get', 'stat', 'glob', 'copy', 'move'),
  /** run: either argv or shell. The shell is /bin/sh -c. */
  argv: optional(list(text(100_000), 1_000)),
  shell: optional(text(100_000)),
  cwd: optional(path),
  /** Added to what the worker's own allow list lets through. */
  env: optional(mapOf(text(100_000), 1_000)),
  stdin: optional(bytes(64 * 1024)),
  /** End the command after so long without output, or in all. */
  silenceMs: optional(integer(1)),
  totalMs: optional(integer(1)),
  /** From TERM to KILL. */
  killAfterMs: optional(integer(0)),
  /** All but run; of glob the pattern. */
  path: optional(path),
  /** copy, move */
  to: optional(path),
  /** put */
  size: optional(integer()),
  sha256: optional(sha256),
  mode: optional(integer(0, 0o777)),
  /** put: it holds a secret, and is removed when its build is over. */
  secret: optional(flag),
  /** get */
  maxBytes: optional(integer()),
  /** glob: so many matches at most. */
  limit: optional(integer(1)),
});
export type CommandSpec = Checked<typeof commandSpec>;

const commandState = object({
  command: id,
  session: id,
  fence,
  state: oneOf('running', 'finished'),
  /** The output the worker still holds: [outputStart, outputEnd). */
  outputStart: offset,
  outputEnd: offset,
  outcome: optional(outcome),
});
export type CommandState = Checked<typeof commandState>;

const sessionState = object({ session: id, fence, directory: path });

const commandVerdict = object({
  command: id,
  /** forget: end it if it runs, drop its spool. */
  verdict: oneOf('continue', 'forget'),
  /** continue: the owner's new fence, and the offset up to which the master holds the log. */
  fence: optional(fence),
  from: optional(offset),
  /** continue: its lease from now on; absent: it has none any more. */
  leaseMs: optional(leaseMs),
});
export type CommandVerdict = Checked<typeof commandVerdict>;

const sessionVerdict = object({
  session: id,
  verdict: oneOf('keep', 'forget'),
  /** keep: no build sits there, up to this fence. */
  idle: optional(fence),
});

/**
 * All messages: a frame is `[type, session, fields]`, session is '' on control. Each entry says who sends it, in which lane,
 * and what its fields are. `docs/protocol.md` explains each; a test compares the two.
 */
export const MESSAGES = {
  // control: greeting
  hello: {
    from: 'worker',
    lane: 'control',
    fields: object({
      protocols: list(integer(1, 1_000), 16),
      implementation: line,
      version: line,
      worker: name,
      installId: id,
      bootId: id,
      processId: id,
      capabilities: list(text(64), 64),
      host: line,
      facts: mapOf(line, 64),
      /** It leaves after so many builds, counted over all connections of its term (absent: of its daemon's start). */
      builds: optional(integer(1, 1_000)),
      term: optional(id),
    }),
  },
  welcome: {
    from: 'master',
    lane: 'control',
    fields: object({
      protocol: integer(1, 1_000),
      epoch: integer(1),
      masterId: id,
      timeMs,
      heartbeatMs: integer(1),
      deadMs: integer(1),
    }),
  },
  goodbye: {
    from: 'both',
    lane: 'control',
    fields: object({
      code: text(64),
      message: line,
      spoken: optional(list(integer(1, 1_000), 16)),
      /** Come back after between half of this and all of it. Absent: by your own back-off. */
      retryAfterMs: optional(integer()),
    }),
  },
  /** Nothing more is to be given, and goodbye (`left`) said when nothing runs there. Before the inventory, it holds from the welcome on. */
  leave: { from: 'worker', lane: 'control', fields: object({ reason: line }) },
  // control: what the worker holds, after each welcome
  inventory: {
    from: 'worker',
    lane: 'control',
    fields: object({
      sessions: list(sessionState, LIMITS.inventoryItemsPerFrame),
      commands: list(commandState, LIMITS.inventoryItemsPerFrame),
      last: flag,
    }),
  },
  'inventory.answer': {
    from: 'master',
    lane: 'control',
    fields: object({
      sessions: list(sessionVerdict, LIMITS.inventoryItemsPerFrame),
      commands: list(commandVerdict, LIMITS.inventoryItemsPerFrame),
      last: flag,
    }),
  },
  /** Until the next inventory is answered, every command that has a lease has at least this one. */
  lease: { from: 'master', lane: 'control', fields: object({ n: integer(1), leaseMs }) },
  /** It is on the worker's disk, and so are the verdicts `continue` that were given before it. */
  'lease.held': { from: 'worker', lane: 'control', fields: object({ n: integer(1) }) },
  // control: keys
  /** Make a new key and offer it. */
  'key.renew': { from: 'master', lane: 'control', fields: object({}) },
  /** The worker's new key, signed by itself: it is to hold beside the one of this login. */
  'key.new': { from: 'worker', lane: 'control', fields: object({ publicKey, signature }) },
  /** The new key opens the door from now on; or why it does not. */
  'key.known': { from: 'master', lane: 'control', fields: object({ publicKey, refused: optional(line) }) },
  /** The master's host keys, each signed by itself, and those that it uses no more. */
  hostkeys: {
    from: 'master',
    lane: 'control',
    fields: object({
      keys: list(object({ publicKey, signature }), LIMITS.hostKeys),
      retired: list(keyFingerprint, LIMITS.hostKeys),
    }),
  },
  /** What the worker trusts now, on its disk. */
  'hostkeys.held': {
    from: 'worker',
    lane: 'control',
    fields: object({ keys: list(keyFingerprint, LIMITS.hostKeys) }),
  },
  // control: life
  ping: {
    from: 'both',
    lane: 'control',
    fields: object({
      n: integer(),
      load: optional(text(16)),
      freeBytes: optional(integer()),
      spoolBytes: optional(integer()),
      /** Commands whose output is held back for want of free disk, of which so much is to stay free; and by a full spool. */
      heldByDisk: optional(integer()),
      keepFreeBytes: optional(integer()),
      heldBySpool: optional(integer()),
    }),
  },
  pong: { from: 'both', lane: 'control', fields: object({ n: integer() }) },
  /** Session channels the worker is to hold open in all, bound ones and spare ones. */
  'channels.want': {
    from: 'master',
    lane: 'control',
    fields: object({ count: integer(0, LIMITS.channelsPerConnection) }),
  },
  /** Wire bytes of the log lane that may have been sent since the connection began: on a session, or (session '') in all. */
  credit: { from: 'master', lane: 'control', fields: object({ total: integer() }) },
  // session
  'session.open': {
    from: 'master',
    lane: 'control',
    /** build: the one that sits there from now on. */
    fields: object({ fence, project: line, builder: line, directory: path, build: optional(integer(1)) }),
  },
  /** The build that the session was opened for with this fence is over. */
  'session.idle': { from: 'master', lane: 'control', fields: object({ fence }) },
  'session.opened': { from: 'worker', lane: 'control', fields: object({ fence }) },
  'session.close': { from: 'master', lane: 'control', fields: object({ fence }) },
  'session.closed': { from: 'worker', lane: 'control', fields: object({ fence }) },
  'session.failed': {
    from: 'worker',
    lane: 'control',
    fields: object({ fence, code: text(64), message: line }),
  },
  // commands
  'command.start': {
    from: 'master',
    lane: 'control',
    fields: object({
      command: id,
      fence,
      spec: commandSpec,
      logMaxBytes: optional(integer()),
      leaseMs: optional(leaseMs),
      /** Secrets that its output and messages must not show. */
      masks: optional(list(bytes(LONGEST_SECRET_BYTES), MOST_SECRETS_OF_BUILD)),
    }),
  },
  'command.started': { from: 'worker', lane: 'control', fields: object({ command: id, fence }) },
  'command.interrupt': {
    from: 'master',
    lane: 'control',
    fields: object({ command: id, fence, reason: line }),
  },
  'command.finished': {
    from: 'worker',
    lane: 'control',
    fields: object({ command: id, fence, outputEnd: offset, outcome }),
  },
  'command.forget': { from: 'master', lane: 'control', fields: object({ command: id }) },
  // logs: a chunk is a run of frames with the same head; `position` counts bytes of the chunk as sent
  'log.append': {
    from: 'worker',
    lane: 'log',
    fields: object({
      command: id,
      fence,
      offset,
      length: integer(1, LIMITS.chunkBytes),
      atMs: timeMs,
      lines: integer(0, LIMITS.chunkBytes),
      codec: oneOf('raw', 'gzip'),
      size: integer(1, LIMITS.chunkBytes + 4_096),
      position: integer(0, LIMITS.chunkBytes + 4_096),
      bytes: bytes(LIMITS.dataPayloadBytes),
    }),
  },
  'log.ack': { from: 'master', lane: 'ack', fields: object({ command: id, offset }) },
  /** The chunk did not fit: send from this offset. */
  'log.want': { from: 'master', lane: 'ack', fields: object({ command: id, offset }) },
  /** The worker does not hold these bytes any more, and says so: they are lost, or left out for the limit of the log. */
  'log.hole': {
    from: 'worker',
    lane: 'log',
    fields: object({
      command: id,
      fence,
      offset,
      length: integer(1),
      /** Absent: lost. */
      reason: optional(oneOf('lost', 'limit')),
      /** limit, while the command runs: so many of its last bytes will follow. */
      keepsBytes: optional(integer()),
      /** limit, when the command has ended: so many bytes were left out in all. */
      leftOutBytes: optional(integer(1)),
    }),
  },
  // files, on trunkline-bulk (or mux). put: the worker pulls. get: the worker pushes.
  'file.pull': { from: 'worker', lane: 'control', fields: object({ command: id, fence, offset }) },
  'file.push': { from: 'worker', lane: 'control', fields: object({ command: id, fence, size: integer() }) },
  /** Answer to push: the durable offset to go on from. */
  'file.want': { from: 'master', lane: 'ack', fields: object({ command: id, offset }) },
  'file.data': {
    from: 'both',
    lane: 'bulk',
    fields: object({ command: id, fence, offset, bytes: bytes(LIMITS.dataPayloadBytes) }),
  },
  'file.ack': { from: 'both', lane: 'ack', fields: object({ command: id, offset }) },
  'file.end': { from: 'worker', lane: 'bulk', fields: object({ command: id, fence, size: integer(), sha256 }) },
  'file.stored': { from: 'master', lane: 'ack', fields: object({ command: id }) },
  'file.refused': {
    from: 'both',
    lane: 'ack',
    fields: object({ command: id, code: text(64), message: line }),
  },
} as const;

export type MessageType = keyof typeof MESSAGES;
export type Fields<T extends MessageType> = Checked<(typeof MESSAGES)[T]['fields']>;
export type Lane = 'control' | 'ack' | 'log' | 'bulk';

/** A checked message. `session` is '' for control. */
export type Message<T extends MessageType = MessageType> = {
  [K in T]: { readonly type: K; readonly session: string; readonly fields: Fields<K> };
}[T];
