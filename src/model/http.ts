export const HTTP_METHODS = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'POST', 'PATCH'] as const;
export type HttpMethod = (typeof HTTP_METHODS)[number];

/** To do it twice is as good as once (RFC 9110, 9.2.2): it is done again when nobody knows whether it was done. */
export function isRepeatable(method: HttpMethod): boolean {
  return method !== 'POST' && method !== 'PATCH';
}
