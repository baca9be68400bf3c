/** A file that a build has kept. */
export interface Artifact {
  readonly buildId: number;
  readonly project: string;
  readonly builder: string;
  readonly step: number;
  /** A relative path, unique in its build. */
  readonly name: string;
  readonly sha256: string;
  readonly size: number;
  readonly keptAtMs: number;
}

const NAME_CHARACTERS = 250;
export const ARTIFACT_NAME_RULE = `a relative path of at most ${NAME_CHARACTERS} characters, without "..", "\\\\", or control characters`;

/** Names are paths for whoever takes them: none leads out of a folder, or acts on a terminal. */
export function isArtifactName(name: string): boolean {
  if (name.length > NAME_CHARACTERS || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\\]/u.test(name)) return false;
  return name.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}
