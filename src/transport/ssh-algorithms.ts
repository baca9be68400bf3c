/**
 * What both our ends offer. Elliptic curves only: Diffie-Hellman groups let a stranger burn our CPU before he logs in. AES-GCM
 * only: it is fast in hardware, and stock ssh would pick chacha20 if it were there. No compression: logs come compressed.
 */
export const ALGORITHMS = {
  kex: ['curve25519-sha256', 'curve25519-sha256@libssh.org', 'ecdh-sha2-nistp256'],
  cipher: ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com'],
  compress: ['none'],
} as const;

/** Host keys a client of ours accepts, best first. */
export const HOST_KEY_TYPES = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'rsa-sha2-256'] as const;
