// Envelope encryption of single records: each gets a data key of its own, which is wrapped by the
// newest key-encryption key. A sealed record names the key that opens it, so old records stay
// readable after a rotation until they are sealed anew.
//
//   byte 0      1: the form of what follows (plain records are JSON and begin with `{`)
//   byte 1      length n of the key's id
//   n bytes     id of the key-encryption key, ASCII
//   12 + 48     nonce, wrapped data key with its tag  (AES-256-GCM)
//   12 + m+16   nonce, ciphertext with its tag        (AES-256-GCM)
//
//   E1. A record opens only under the log key that it was sealed for: the additional data of both
//       encryptions hold it, so that nobody with the file can pass one Secret off as another.
//   E2. No error names what was sealed.

import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { LogKey } from '../../common/model/ids.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Chance } from '../../common/runtime/chance.ts';

export interface SealingKey {
  /** 1 to 64 characters of a-z, 0-9 and `-`. */
  readonly id: string;
  /** RFC 3339, for people. */
  readonly created: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

export interface Sealer {
  seal(at: LogKey, plain: Uint8Array): Uint8Array;
  /**
   * What was sealed; a record that is not sealed comes back as it is. Throws MeshError fatal
   * SEALING_KEY_UNKNOWN and STORE_CORRUPT.
   */
  open(at: LogKey, stored: Uint8Array): Uint8Array;
  /** Sealed under the key that seals now. */
  isCurrent(stored: Uint8Array): boolean;
  /** Of the key that seals now. */
  sealingId(): string;
  /**
   * The first seals from now on, all of them open. Throws MeshError fatal SEALING_KEY_CHANGED for
   * another key under the name of one that is known, and then changes nothing.
   */
  replaceKeys(keys: readonly SealingKey[]): void;
}

const form = 1;
const nonceBytes = 12; // NIST SP 800-38D, 8.2
const tagBytes = 16;
const keyBytes = 32;
const algorithm = 'aes-256-gcm';

export function createSealer(options: {
  readonly keys: readonly SealingKey[];
  readonly chance: Chance;
}): Sealer {
  let keys = options.keys;
  const newest = (): SealingKey => {
    const [first] = keys;
    if (first === undefined) throw new MeshError('fatal', 'SEALING_KEY_UNKNOWN', 'no key seals');
    return first;
  };
  return {
    seal: (at, plain) => seal(newest(), at, plain, options.chance),
    open: (at, stored) => {
      const id = sealedUnder(stored);
      if (id === undefined) return stored;
      const found = keys.find((key) => key.id === id);
      if (found !== undefined) return openWith(found, at, stored);
      throw new MeshError(
        'fatal',
        'SEALING_KEY_UNKNOWN',
        `a record is sealed under key ${id}, which the encryption key file does not hold: put that key back into the file`,
      );
    },
    isCurrent: (stored) => sealedUnder(stored) === newest().id,
    sealingId: () => newest().id,
    replaceKeys: (next) => {
      const changed = next.find(({ id, key }) =>
        keys.some((known) => known.id === id && !Buffer.from(known.key).equals(key)),
      );
      if (changed === undefined) {
        keys = next;
        return;
      }
      throw new MeshError(
        'fatal',
        'SEALING_KEY_CHANGED',
        `key ${changed.id} is another than before: give a new key a name of its own`,
      );
    },
  };
}

/** Id of the key that a record is sealed under; undefined when it is not sealed. */
export function sealedUnder(stored: Uint8Array): string | undefined {
  if (stored[0] !== form) return undefined;
  return Buffer.from(stored.subarray(2, 2 + (stored[1] ?? 0))).toString('latin1');
}

function seal(key: SealingKey, at: LogKey, plain: Uint8Array, chance: Chance): Uint8Array {
  const dataKey = chance.bytes(keyBytes);
  const id = Buffer.from(key.id, 'latin1');
  return Buffer.concat([
    Uint8Array.of(form, id.length),
    id,
    encrypt(key.key, toContext(key.id, at, 'key'), dataKey, chance.bytes(nonceBytes)),
    encrypt(dataKey, toContext(key.id, at, 'value'), plain, chance.bytes(nonceBytes)),
  ]);
}

function openWith(key: SealingKey, at: LogKey, stored: Uint8Array): Uint8Array {
  const start = 2 + key.id.length;
  const middle = start + nonceBytes + keyBytes + tagBytes;
  const dataKey = decrypt(key.key, toContext(key.id, at, 'key'), stored.subarray(start, middle));
  const plain =
    dataKey && decrypt(dataKey, toContext(key.id, at, 'value'), stored.subarray(middle));
  if (plain !== undefined) return plain;
  throw new MeshError(
    'fatal',
    'STORE_CORRUPT',
    `the record ${at} does not open with key ${key.id}: it is damaged, or the key file holds another key by that name`,
  );
}

function toContext(id: string, at: LogKey, part: 'key' | 'value'): Uint8Array {
  return Buffer.from(JSON.stringify(['isthmus', form, id, at, part]), 'utf8'); // E1
}

function encrypt(
  key: Uint8Array,
  context: Uint8Array,
  plain: Uint8Array,
  nonce: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  cipher.setAAD(context);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** undefined when the tag does not fit. */
function decrypt(key: Uint8Array, context: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
  if (sealed.length < nonceBytes + tagBytes) return undefined;
  const [nonce, rest] = [sealed.subarray(0, nonceBytes), sealed.subarray(nonceBytes)];
  const decipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(context);
  decipher.setAuthTag(rest.subarray(rest.length - tagBytes));
  try {
    return Buffer.concat([
      decipher.update(rest.subarray(0, rest.length - tagBytes)),
      decipher.final(),
    ]);
  } catch {
    return undefined; // the cause says nothing but that the tag differs
  }
}
