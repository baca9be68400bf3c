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

export interface GlobOptions {
  /** More matches than these are a failure; default 10,000. */
  readonly limit?: number;
}
