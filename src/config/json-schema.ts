import { z } from 'zod';
import type { Json } from '../model/json.ts';
import { isJson } from '../model/json.ts';

/** Also of what refers to itself, or is very deep, it says that it is none. */
export const jsonSchema = z.custom<Json>(isJson, {
  error: 'this is no JSON: write a text, a number, true, false, null, a list or an object',
});
