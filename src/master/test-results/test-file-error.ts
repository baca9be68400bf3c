/** A file of test results is not what it should be. The message goes on after the file's name: `it has a DTD, …`. */
export class TestFileError extends Error {
  override readonly name = 'TestFileError';
}
