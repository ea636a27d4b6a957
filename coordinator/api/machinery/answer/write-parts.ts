// Bytes in parts, to a sink that may take them so.

import type { BodySink } from '../api.ts';

/** A sink that joins them anyway spares a copy of all of them. */
export function writeParts(sink: BodySink, parts: readonly Uint8Array[]): void {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) sink.write(only);
  else if (sink.writeParts !== undefined) sink.writeParts(parts);
  else if (parts.length > 1) sink.write(Buffer.concat(parts));
}
