import type { Masker } from '../../model/mask.ts';
import type { HeldCommand } from './keeper.ts';

/** Up to so many raw bytes of an output from an offset; fewer at a segment's end, none when there is none yet. */
type Read = (offset: number, maxBytes: number) => Promise<Uint8Array>;

/** A part of an output that lies on the disk without a hole. */
interface Stretch {
  readonly from: number;
  readonly to: number;
  /** More may follow. */
  readonly isOpen: boolean;
  /** A line of our own, in which nothing is masked. */
  readonly isOurs?: boolean;
}

/** As the keeper's `read`, of an output in which secrets are masked. What may become one is not given out yet. */
export async function readMasked(
  read: Read,
  held: HeldCommand,
  masker: Masker,
  offset: number,
  maxBytes: number,
): Promise<Uint8Array> {
  const stretch = stretchAt(held, offset);
  // Below what is held: the reader says so.
  if (stretch.isOurs === true || offset < stretch.from) return await read(offset, maxBytes);
  const { overlapBytes } = masker;
  const start = Math.max(stretch.from, offset - overlapBytes);
  const end = Math.min(stretch.to, offset + maxBytes + overlapBytes);
  const pieces: Uint8Array[] = [];
  let at = start;
  while (at < end) {
    const piece = await read(at, end - at);
    if (piece.byteLength === 0) break;
    pieces.push(piece);
    at += piece.byteLength;
  }
  const { bytes, settled } = masker.mask(Buffer.concat(pieces), {
    isCutBefore: start === stretch.from && start > 0,
    isOpen: at < stretch.to || stretch.isOpen,
  });
  return bytes.subarray(offset - start, Math.min(settled, offset + maxBytes - start));
}

/** The stretch that a byte lies in. Head and tail of a log with a limit have nothing to do with each other, as there may be a hole. */
function stretchAt({ state, outputStart, outputEnd, outcome, cap }: HeldCommand, offset: number): Stretch {
  if (cap && offset < cap.headBytes) {
    const to = Math.min(outputEnd, cap.headBytes);
    if (to === cap.headBytes) return { from: outputStart, to, isOpen: false };
  }
  const from = cap && offset >= cap.headBytes ? Math.max(cap.headBytes, cap.heldFrom) : outputStart;
  if (state === 'running') return { from, to: outputEnd, isOpen: true };
  const mark = outputEnd - (outcome?.markBytes ?? 0);
  return offset < mark
    ? { from, to: mark, isOpen: false }
    : { from: mark, to: outputEnd, isOpen: false, isOurs: mark < outputEnd };
}
