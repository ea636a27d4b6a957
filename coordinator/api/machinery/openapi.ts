// OpenAPI v3 documents, one per group and version.
import type { KindDefinition } from './kind.ts';

export interface OpenApiV3 {
  /** Body of /openapi/v3: path -> serverRelativeURL with the document's hash. */
  readonly index: object;
  /** By `api/v1`, `apis/isthmus.dev/v1alpha1`. */
  readonly documents: ReadonlyMap<string, object>;
  /** By the same names: upper-case hex SHA-512 of the encoded document, as in the index. */
  readonly hashes: ReadonlyMap<string, string>;
  /** By the same names: the encoded document. */
  readonly bytes: ReadonlyMap<string, Uint8Array>;
}

export function buildOpenApiV3(_kinds: readonly KindDefinition[]): OpenApiV3 {
  return { index: {}, documents: new Map(), hashes: new Map(), bytes: new Map() };
}
