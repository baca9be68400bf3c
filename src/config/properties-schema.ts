import { z } from 'zod';
import { PROPERTIES_BYTES_MAX, PROPERTIES_MAX, PROPERTY_NAME, PROPERTY_RULE } from '../model/properties.ts';
import { jsonSchema } from './json-schema.ts';

const PROPERTIES_RULE = 'write { name: value }, with values that are JSON';

const isNamedWell = (properties: object): boolean => Object.keys(properties).every((name) => PROPERTY_NAME.test(name));

/** What builds of a scheduler or builder begin with. */
export const propertiesSchema = z
  .record(z.string(), jsonSchema, { error: PROPERTIES_RULE })
  .refine(isNamedWell, { error: `a name of a property is ${PROPERTY_RULE}` })
  .refine((given) => Object.keys(given).length <= PROPERTIES_MAX, { error: `at most ${PROPERTIES_MAX} properties` })
  .refine((given) => Buffer.byteLength(JSON.stringify(given)) <= PROPERTIES_BYTES_MAX, {
    error: `the properties are longer than ${PROPERTIES_BYTES_MAX} bytes in all`,
  });
