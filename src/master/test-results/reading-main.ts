import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { errorText } from '../../base/errors.ts';
import { boundedResult } from '../../model/test-result.ts';
import type { TestResult } from '../../model/test-result.ts';
import { XmlDecoder } from './decode-text.ts';
import { JunitReader } from './junit-reader.ts';
import type { FromReading, ReadingData, TestFormat } from './reading-messages.ts';
import { TapReader } from './tap-reader.ts';
import { TestFileError } from './test-file-error.ts';
import type { TestReader, TestSink } from './test-reader.ts';

/** Sent at once; what a piece of the file gives beyond it is sent with it. */
const BATCH = 500;
const PIECE_BYTES = 64 * 1024;

const tell = process.send?.bind(process);
if (!tell) throw new Error('this is a process that the master starts');
const { file, format } = JSON.parse(process.argv[2] ?? '') as ReadingData;

// What stops the master is for the master, with which this ends.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.on('disconnect', () => process.exit());

const send = (message: FromReading): void => void tell(message);

let results: TestResult[] = [];

async function flush(): Promise<void> {
  if (results.length === 0) return;
  send({ type: 'results', results });
  results = [];
  await once(process, 'message');
}

async function read(): Promise<void> {
  const reader = open(format, (result) => results.push(boundedResult(result)));
  for await (const piece of createReadStream(file, { highWaterMark: PIECE_BYTES })) {
    reader.write(piece as Buffer);
    if (results.length >= BATCH) await flush();
  }
  reader.end();
}

function open(kind: TestFormat, sink: TestSink): { write(bytes: Buffer): void; end(): void } {
  const reader: TestReader = kind === 'junit' ? new JunitReader(sink) : new TapReader(sink);
  const decoder = kind === 'junit' ? new XmlDecoder() : new TextDecoder();
  return {
    write: (bytes) =>
      reader.write(decoder instanceof XmlDecoder ? decoder.add(bytes) : decoder.decode(bytes, { stream: true })),
    end() {
      reader.write(decoder instanceof XmlDecoder ? decoder.end() : decoder.decode());
      reader.end();
    },
  };
}

let problem: string | undefined;
try {
  await read();
} catch (error) {
  problem = error instanceof TestFileError ? error.message : `it could not be read: ${errorText(error)}`;
}
// What came before it went wrong is known, too.
await flush();
send({ type: 'end', ...(problem !== undefined && { problem }) });
