/** What a command may see of the daemon's own environment, so that what a build does depends on its configuration alone. */
const ALLOWED: ReadonlySet<string> = new Set(['PATH', 'HOME', 'LANG', 'TZ', 'USER', 'LOGNAME', 'SHELL', 'TMPDIR']);

/** A command's whole environment: the allowed part of the daemon's, then what `worker.json` adds, then what the step asks for. */
export function commandEnvironment(
  daemon: Readonly<Record<string, string | undefined>>,
  worker: Readonly<Record<string, string>>,
  step: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(daemon)) {
    if (value !== undefined && (ALLOWED.has(name) || name.startsWith('LC_'))) env[name] = value;
  }
  return { ...env, ...worker, ...step };
}
