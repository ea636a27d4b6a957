// Foreign Services of mesh messages: model <-> proto/mesh.proto. Hashes travel as four bytes each.

import { foreignMax, type ForeignChange } from '../model/foreign.ts';
import type { Plain } from './proto-types.ts';
import { readBytes, readFlag } from './read.ts';

const hashBytes = 4;

export function toForeignPlain({ added, removed, isFull }: ForeignChange): Plain {
  return { added: pack(added), removed: pack(removed), isFull };
}

/** Throws MeshError fatal WIRE_INVALID. */
export function readForeign(plain: Plain): ForeignChange {
  return {
    added: unpack(readBytes(plain, 'added', foreignMax * hashBytes)),
    removed: unpack(readBytes(plain, 'removed', foreignMax * hashBytes)),
    isFull: readFlag(plain, 'isFull'),
  };
}

function pack(hashes: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(hashes.length * hashBytes);
  for (const [at, hash] of hashes.entries()) bytes.writeUInt32BE(hash, at * hashBytes);
  return bytes;
}

function unpack(bytes: Uint8Array): readonly number[] {
  const view = Buffer.from(bytes);
  const count = Math.floor(view.length / hashBytes);
  return Array.from({ length: count }, (_, at) => view.readUInt32BE(at * hashBytes));
}
