/** What became of one try. `isFinal`: it would go no better next time. */
export type Outcome = 'sent' | { readonly why: string; readonly isFinal: boolean };
