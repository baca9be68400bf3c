import { DEAD_AFTER_HEARTBEATS, HEARTBEAT_MS } from '../model/lost-worker.ts';

/**
 * Every limit of the wire, one name each. Defaults of `docs/protocol.md`; each names what it holds off.
 */
export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

export const LIMITS = {
  /** Before the hello a stranger may make us buffer no more than this. */
  frameBeforeHelloBytes: 4 * KiB,
  /** The bytes that one data frame carries. */
  dataPayloadBytes: 32_000,
  /** A whole frame of the lanes `ack`, `log` and `bulk`, its length prefix too: fits one SSH packet. */
  dataFrameBytes: 32 * KiB,
  controlFrameBytes: 256 * KiB,
  /** Nesting of maps and lists in one frame. */
  frameDepth: 8,
  /** Values in one frame, so that few bytes do not become many objects. */
  frameItems: 32 * KiB,
  /** One log chunk before compression. */
  chunkBytes: 256 * KiB,
  /** Below this a chunk is sent raw. */
  rawChunkBytes: 1 * KiB,
  /** Output of one command that is kept, if its order says nothing else: its head and its tail. */
  logBytes: 1 * GiB,
  /** The most that is kept as the tail of a log beyond its limit. */
  logTailBytes: 16 * MiB,
  /** Over its limit a master takes so much of a log before it gives its worker up: marks, and holes at `holeWeightBytes` each. */
  logSlackBytes: 1 * MiB,
  /** What a hole counts for: it takes a row, however many bytes it stands for. */
  holeWeightBytes: 4 * KiB,
  helloTimeoutMs: 10_000,
  loginGraceMs: 20_000,
  heartbeatMs: HEARTBEAT_MS,
  /** No byte at all for so long: the peer is dead, its socket is destroyed. */
  deadMs: DEAD_AFTER_HEARTBEATS * HEARTBEAT_MS,
  /** Probe of an old connection before a newcomer of the same name is judged. */
  probeMs: 5_000,
  channelsPerConnection: 4_096,
  /** Over what the master asked for. */
  channelsSlack: 8,
  spareChannels: 2,
  bulkChannels: 2,
  /** What may wait in the socket before lanes are held back. */
  socketQueueBytes: 256 * KiB,
  /** Quantum of the deficit round robin between sessions. */
  fairQuantumBytes: 32 * KiB,
  /** Unacknowledged log bytes on the wire: of a session, of a worker, of all workers of a master. */
  sessionCreditBytes: 1 * MiB,
  workerCreditBytes: 16 * MiB,
  /** Of a worker when it connects. Three quarters of it must hold a whole chunk with its frames' heads. */
  workerFirstCreditBytes: 512 * KiB,
  masterCreditBytes: 512 * MiB,
  muxCreditBytes: 512 * KiB,
  /** Unacknowledged bytes of one file body. */
  transferWindowBytes: 512 * KiB,
  /** Of the list that a `glob` gives. */
  listBytes: 4 * MiB,
  minPacketBytes: 4 * KiB,
  inventoryItemsPerFrame: 100,
  /** A master's, current, next and old: what a worker trusts is as many. */
  hostKeys: 8,
  /** No database was put back by so many assignments: who claims more lies, or its disk does. */
  fenceLead: 2 ** 32,
} as const;
