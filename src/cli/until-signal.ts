import { constants } from 'node:os';

/**
 * Waits for SIGTERM, SIGINT or the given end, whichever comes first, then stops. A second signal ends the process at once:
 * whoever sends it is tired of waiting.
 */
export async function untilSignal(ended: Promise<unknown>, stop: () => Promise<void>): Promise<void> {
  let release: () => void = () => undefined;
  const signalled = new Promise<void>((resolve) => {
    release = resolve;
  });
  let signals = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    signals += 1;
    if (signals > 1) process.exit(128 + constants.signals[signal]);
    release();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  try {
    await Promise.race([signalled, ended]);
    await stop();
  } finally {
    process.off('SIGTERM', onSignal);
    process.off('SIGINT', onSignal);
  }
}
