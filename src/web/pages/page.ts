import { createHash } from 'node:crypto';
import { Html, html } from '../html.ts';

const STYLE = `
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
header { display: flex; justify-content: space-between; align-items: baseline; gap: 0 1rem; flex-wrap: wrap; }
h1 { font-size: 1.5rem; margin: 0; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); vertical-align: top; }
td { overflow-wrap: anywhere; }
code { font-family: ui-monospace, monospace; }
form { display: inline; }
button { font: inherit; padding: .3rem .8rem; }
@media (max-width: 50rem) {
  thead { position: absolute; clip-path: inset(50%); }
  tr { display: block; padding: .4rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
  td { display: grid; grid-template-columns: 6rem 1fr; padding: 0; border: 0; }
  td::before { content: attr(data-label); opacity: .7; }
}
`;

/** One text, so that no formatter puts a blank between: the policy knows the style by its hash. */
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);

/** The one style that the policy below lets pass. */
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** No script, no picture, nothing from anywhere else. */
export const CONTENT_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`;

/** A whole page. */
export function page(title: string, body: Html): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        ${body}
      </body>
    </html> `.text;
}
