import { UserMistake, errorText } from '../base/errors.ts';
import { parseDuration } from '../config/duration.ts';

/** Milliseconds of an option like `2h`; a mistake is told with the option's name. */
export function readTime(option: string, text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new UserMistake(`${option}: ${errorText(error)}`, { exitStatus: 64, cause: error });
  }
}
