/** Bytes of one artifact, when the step says nothing else. */
export const ARTIFACT_BYTES = 4 * 1024 ** 3;
/** Of one build. */
export const ARTIFACTS_MOST = 1_000;
