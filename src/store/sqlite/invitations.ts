import { MAX_OPEN_INVITATIONS } from '../../model/invitation.ts';
import type { Invitation } from '../../model/invitation.ts';
import type { PublicKey } from '../../model/principal.ts';
import { StoreError } from '../store.ts';
import type { InvitationStore } from '../store.ts';
import type { Transaction } from './batch-writer.ts';
import type { Context } from './context.ts';
import { findPrincipal, putPrincipal } from './principals.ts';
import { mustBeOne } from './row.ts';

const COLUMNS = `worker, code_hash AS codeHash, invited_by AS invitedBy, at_ms AS atMs, expires_at_ms AS expiresAtMs,
  is_for_known AS isForKnown, used_at_ms AS usedAtMs, used_key AS usedKey`;
const LIST = `SELECT ${COLUMNS} FROM invitations ORDER BY worker`;
const FORGET_OLD = 'DELETE FROM invitations WHERE expires_at_ms <= ? OR used_at_ms IS NOT NULL OR worker = ?';
const COUNT = 'SELECT count(*) AS n FROM invitations';
const ADD = `INSERT INTO invitations (worker, code_hash, invited_by, at_ms, expires_at_ms, is_for_known)
  VALUES (?, ?, ?, ?, ?, ?)`;
const REMOVE = 'DELETE FROM invitations WHERE worker = ? AND used_at_ms IS NULL';
const USE = `UPDATE invitations SET used_at_ms = ?, used_key = ?
  WHERE code_hash = ? AND used_at_ms IS NULL AND expires_at_ms > ? RETURNING worker, is_for_known AS isForKnown, invited_by AS invitedBy`;

type Row = Omit<Invitation, 'isForKnown' | 'used'> & {
  readonly isForKnown: number;
  readonly usedAtMs: number | null;
  readonly usedKey: string | null;
};

export function invitationStore({ reader, writer }: Context): InvitationStore {
  return {
    async list() {
      const rows = await reader.all<Row>(LIST);
      return rows.map(({ isForKnown, usedAtMs, usedKey, ...row }) => ({
        ...row,
        isForKnown: isForKnown === 1,
        ...(usedAtMs !== null && { used: { atMs: usedAtMs, key: usedKey ?? '' } }),
      }));
    },
    async add({ worker, codeHash, invitedBy, atMs, expiresAtMs, isForKnown }) {
      await writer.write(async (transaction) => {
        await transaction.run(FORGET_OLD, atMs, worker);
        const open = await transaction.get<{ n: number }>(COUNT);
        if ((open?.n ?? 0) >= MAX_OPEN_INVITATIONS) {
          throw new StoreError('conflict', `${MAX_OPEN_INVITATIONS} invitations are open already`);
        }
        await transaction.run(ADD, worker, codeHash, invitedBy, atMs, expiresAtMs, isForKnown ? 1 : 0);
      });
    },
    async remove(worker) {
      await writer.write(async (transaction) => {
        mustBeOne(await transaction.run(REMOVE, worker), `open invitation of ${worker}`);
      });
    },
    enrol({ codeHash, key, fingerprint, atMs, maxKeys }) {
      return writer.write(async (transaction) => {
        const used = await transaction.returning<{ worker: string; isForKnown: number; invitedBy: string }>(
          USE,
          atMs,
          fingerprint,
          codeHash,
          atMs,
        );
        if (!used) throw new StoreError('lost-claim', 'the invitation is not open');
        const keys = await keysAfter(transaction, used.worker, used.isForKnown === 1, key);
        if (keys.length > maxKeys) throw new StoreError('conflict', `${used.worker} has ${maxKeys} keys already`);
        await putPrincipal(transaction, { name: used.worker, role: 'worker', keys, source: 'command' });
        return used.invitedBy;
      });
    },
  };
}

/** A worker that was withdrawn is made anew: its old keys are not lifted with it. */
async function keysAfter(
  transaction: Transaction,
  name: string,
  isForKnown: boolean,
  key: PublicKey,
): Promise<readonly PublicKey[]> {
  const known = await findPrincipal(transaction, name);
  if (!known || known.revokedAtMs !== undefined) return [key];
  if (known.role !== 'worker') throw new StoreError('conflict', `${name} is a ${known.role} by now`);
  if (!isForKnown) throw new StoreError('conflict', `${name} was let in otherwise meanwhile`);
  if (known.source !== 'command') throw new StoreError('conflict', `the keys of ${name} come from its key file`);
  const others = known.keys.filter((own) => own.blob !== key.blob);
  return [...others, key];
}
