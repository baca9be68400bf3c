/** What is at a path of the worker. A link that leads out of the build's folder, or nowhere, is a `link`; others are followed. */
export interface FileStat {
  readonly type: 'file' | 'folder' | 'link' | 'other' | 'none';
  /** Bytes; 0 of what is not there. */
  readonly size: number;
  /** Permissions, as in `0o755`. */
  readonly mode: number;
  /** UTC milliseconds. */
  readonly mtimeMs: number;
}

export interface UploadOptions {
  /** A larger file is refused. */
  readonly maxBytes?: number;
  /** Permissions of the file on the master; default `0o644`. */
  readonly mode?: number;
  /** It keeps the time of its last change. */
  readonly keepStamp?: boolean;
}

export interface KeepOptions {
  /** Of the artifact; default: the path. */
  readonly name?: string;
  /** A larger file is refused; default 4 GiB. */
  readonly maxBytes?: number;
}

export interface KeptArtifact {
  readonly name: string;
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

export interface FetchOptions {
  /** `PROJECT/BUILDER`, or `PROJECT` for any builder of it; default: the one of the projects that this one `dependsOn` which has it. */
  readonly from?: string;
  /** The number of a build of `from`; default `last good`: the newest that ended well, without a patch and of no fork. */
  readonly build?: number | 'last good';
  /** Permissions of the file on the worker; default `0o644`. */
  readonly mode?: number;
}

export interface FetchedArtifact extends KeptArtifact {
  readonly project: string;
  readonly builder: string;
  /** Of the build that kept it. */
  readonly number: number;
}

export interface GlobOptions {
  /** More matches than these are a failure; default 10,000. */
  readonly limit?: number;
}
