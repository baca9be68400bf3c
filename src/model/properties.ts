/** Names of properties: steps ask for them, command lines and configurations give them. */
export const PROPERTY_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/;
/** What a name of a property must be, for messages to people. */
export const PROPERTY_RULE = 'letters, digits, "_", "." and "-", at most 100, the first a letter or "_"';
/** So many are given to a build by whoever asks for it, and so many bytes of them as JSON. */
export const PROPERTIES_MAX = 100;
export const PROPERTIES_BYTES_MAX = 64 * 1024;
