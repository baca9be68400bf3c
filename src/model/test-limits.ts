/** Of one file of test results, or a log that has some. */
export const TEST_FILE_BYTES = 64 * 1024 * 1024;
/** Of all files of one call. */
export const TEST_FILES_BYTES = 256 * 1024 * 1024;
export const TEST_FILES = 1_000;
