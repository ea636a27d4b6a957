// The message types of proto/, loaded once, and their plain forms. Everything above this file
// works on checked model values; everything that comes from the wire passes `decode` here.

import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import { MeshError } from '../pure/errors.ts';

// Compiled files stand in dist/common/wire; the .proto files at the package's root.
const folder = fileURLToPath(new URL('../../../proto/', import.meta.url));

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => `${folder}${target.split('/').at(-1) ?? ''}`;
root.loadSync(['mesh.proto', 'telemetry.proto'], { keepCase: false });
root.resolveAll();

/** Any member of a decoded message: present, with its proto3 default when it was not sent. */
export type Plain = { readonly [field: string]: unknown };

export interface MessageType {
  encode(message: Plain): Uint8Array;
  /** Throws MeshError fatal WIRE_INVALID. */
  decode(bytes: Uint8Array): Plain;
}

/** `name` without the package, e.g. `AgentMessage`. */
export function messageType(name: string): MessageType {
  const type = root.lookupType(`isthmus.v1.${name}`);
  return {
    encode: (message) => type.encode(type.fromObject(message)).finish(),
    decode: (bytes) => {
      try {
        return type.toObject(type.decode(bytes), {
          longs: Number,
          bytes: Uint8Array as unknown as ArrayConstructor,
          defaults: true,
          arrays: true,
          oneofs: true,
        });
      } catch (error) {
        throw new MeshError('fatal', 'WIRE_INVALID', `not a ${name} message`, error);
      }
    },
  };
}
