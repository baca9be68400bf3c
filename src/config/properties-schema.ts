import { z } from 'zod';
import type { Json } from '../model/json.ts';
import { PROPERTIES_BYTES_MAX, PROPERTIES_MAX, PROPERTY_NAME, PROPERTY_RULE } from '../model/properties.ts';

const PROPERTIES_RULE = 'write { name: value }, with values that are JSON';

const isNamedWell = (properties: object): boolean => Object.keys(properties).every((name) => PROPERTY_NAME.test(name));

const anyJson = z.json();
const json = z.custom<Json>((value) => anyJson.safeParse(value).success, {
  error: 'this is no JSON: write a text, a number, true, false, null, a list or an object',
});

/** What builds of a scheduler or builder begin with. */
export const propertiesSchema = z
  .record(z.string(), json, { error: PROPERTIES_RULE })
  .refine(isNamedWell, { error: `a name of a property is ${PROPERTY_RULE}` })
  .refine((given) => Object.keys(given).length <= PROPERTIES_MAX, { error: `at most ${PROPERTIES_MAX} properties` })
  .refine((given) => Buffer.byteLength(JSON.stringify(given)) <= PROPERTIES_BYTES_MAX, {
    error: `the properties are longer than ${PROPERTIES_BYTES_MAX} bytes in all`,
  });
