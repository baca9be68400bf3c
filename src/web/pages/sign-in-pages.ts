import { html } from '../html.ts';
import { page } from './page.ts';

/** What a link opens. Programs that look at links before people do must not use them up: the button does. */
export function signInPage(): string {
  return page(
    'Sign in',
    html`<h1>Sign in</h1>
      <p>This link signs this browser in, once, for seven days.</p>
      <form method="post"><button>Sign in</button></form>`,
  );
}

export function signedOutPage(): string {
  return page(
    'Signed out',
    html`<h1>Signed out</h1>
      <p><code>ssh … login</code> prints a link that signs you in again.</p>`,
  );
}
