// An answer's body in one piece, for callers in the same process: HTTPS sends lists as they come.

import type { ApiResponse } from '../api.ts';

/** Empty for a watch. Rejects when a list was broken off. */
export function readWholeBody({ body }: Pick<ApiResponse, 'body'>): Promise<Uint8Array> {
  if (body instanceof Uint8Array) return Promise.resolve(body);
  if (body.isList !== true) return Promise.resolve(new Uint8Array());
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    body.start({
      write: (chunk) => void chunks.push(chunk),
      bufferedBytes: () => 0,
      drained: () => Promise.resolve(),
      end: () => resolve(Buffer.concat(chunks)),
      fail: () => reject(new Error('the list was broken off')),
    });
  });
}
