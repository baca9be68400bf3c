/** The documented, stable JSON of `artifacts --json`. */
export interface ArtifactView {
  readonly name: string;
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
  /** The step that kept it. */
  readonly step: string;
  /** UTC ms. */
  readonly keptAtMs: number;
}
