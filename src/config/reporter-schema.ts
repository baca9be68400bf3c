import { z } from 'zod';
import { isMailAddress } from '../model/mail-address.ts';
import { nameSchema } from './name-schema.ts';

const LONGEST_PATH = 4_096;
const MOST_ADDRESSES = 100;
const ADDRESS_RULE = "write an address of mail and nothing else: 'farm@example.org'";
const SMTP_RULE = "write smtp: { host: 'mail.example.org', port: 587 }, with secure, user and passwordFile if need be";
const PORT_RULE = 'write a port from 1 to 65535';
const URL_RULE = 'write a URL that begins with https:// or http://, without a user in it';

const address = z.string({ error: ADDRESS_RULE }).refine(isMailAddress, { error: ADDRESS_RULE });
const path = z.string({ error: 'name a file' }).min(1, { error: 'name a file' }).max(LONGEST_PATH);
const HOST = /^[A-Za-z0-9.:_-]{1,253}$/;

const mail = z.strictObject({
  kind: z.literal('mail'),
  name: nameSchema,
  from: address,
  to: z.array(address, { error: "give a list of addresses: ['farm@example.org']" }).max(MOST_ADDRESSES).optional(),
  smtp: z
    .strictObject(
      {
        host: z.string({ error: SMTP_RULE }).regex(HOST, { error: SMTP_RULE }),
        port: z.int({ error: PORT_RULE }).min(1, { error: PORT_RULE }).max(65_535, { error: PORT_RULE }),
        secure: z.boolean().optional(),
        user: z.string().min(1).max(256).optional(),
        passwordFile: path.optional(),
      },
      { error: SMTP_RULE },
    )
    .refine(({ user, passwordFile }) => (user === undefined) === (passwordFile === undefined), {
      error: 'give both user and passwordFile, or none of them',
    }),
});

const webhook = z.strictObject({
  kind: z.literal('webhook'),
  name: nameSchema,
  url: z.string({ error: URL_RULE }).max(LONGEST_PATH).refine(isHttpUrl, { error: URL_RULE }),
  secretFile: path.optional(),
});

function isHttpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password } = new URL(text);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
}

export const reporterSchema = z.discriminatedUnion('kind', [mail, webhook], {
  error: 'this is no reporter: use mail() or webhook()',
});
export type CheckedReporter = z.infer<typeof reporterSchema>;
