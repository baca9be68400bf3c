import { plain } from '../base/plain.ts';

/** Text that is HTML already. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | string | number | readonly Part[];

/** HTML with what it holds escaped: everything is text, but other HTML. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(
    strings.map((string, index) => string + (index < parts.length ? show(parts[index] ?? '') : '')).join(''),
  );
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function show(part: Part): string {
  if (part instanceof Html) return part.text;
  if (typeof part === 'string') return plain(part).replaceAll(/[&<>"']/g, (char) => ENTITIES[char] ?? '');
  if (typeof part === 'number') return String(part);
  return part.map(show).join('');
}
