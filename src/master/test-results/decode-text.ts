import { TextDecoder } from 'node:util';
import { TestFileError } from './test-file-error.ts';

/** In so many bytes a file must have said its encoding. */
const HEAD_BYTES = 256;

/** Bytes of an XML file to text, in the encoding that its first bytes or its declaration name (XML 1.0, appendix F). */
export class XmlDecoder {
  #head: Buffer | undefined = Buffer.alloc(0);
  #decoder: TextDecoder | undefined;
  #bytes = 0;

  /** The text so far that was not given before. Throws a `TestFileError`. */
  add(piece: Buffer): string {
    if (!this.#head) return this.#decode(piece, true);
    this.#head = Buffer.concat([this.#head, piece]);
    return this.#head.length < HEAD_BYTES ? '' : this.#begin(this.#head);
  }

  end(): string {
    return (this.#head ? this.#begin(this.#head) : '') + this.#decode(Buffer.alloc(0), false);
  }

  #begin(head: Buffer): string {
    const encoding = encodingOf(head);
    this.#head = undefined;
    try {
      this.#decoder = new TextDecoder(encoding, { fatal: true });
    } catch {
      throw new TestFileError(`it says that its encoding is ${JSON.stringify(encoding)}, which is not known here`);
    }
    return this.#decode(head, true);
  }

  #decode(bytes: Buffer, stream: boolean): string {
    const decoder = this.#decoder;
    if (!decoder) return '';
    this.#bytes += bytes.length;
    try {
      return decoder.decode(bytes, { stream });
    } catch {
      throw new TestFileError(`it is not the ${decoder.encoding} that it says it is (before byte ${this.#bytes})`);
    }
  }
}

function encodingOf(head: Buffer): string {
  const [a, b] = head;
  if ((a === 0xff && b === 0xfe) || (a === 0x3c && b === 0)) return 'utf-16le';
  if ((a === 0xfe && b === 0xff) || (a === 0 && b === 0x3c)) return 'utf-16be';
  const declared = /^(?:\ufeff|\u00ef\u00bb\u00bf)?<\?xml[^>]*?\sencoding\s*=\s*["']([^"'>]*)["']/.exec(
    head.toString('latin1', 0, HEAD_BYTES),
  );
  return declared?.[1] ?? 'utf-8';
}
