// How much room a value takes as JSON, without making its text: a value that shares its parts with
// itself may be small here and larger than any machine as a text. Pure.

import type { Json } from '../model/kube-object.ts';

// Kubernetes' objects are a dozen deep.
const depthMax = 100;

/** Bytes of `room` that are left beside the value; below 0, at once, when it is too large or deep. */
export function roomBeside(value: Json | undefined, room: number, depth = 0): number {
  if (typeof value === 'string') return room - bytesOf(value, room);
  if (typeof value !== 'object' || value === null) return room - String(value).length;
  if (depth >= depthMax) return -1;
  let left = room - 2;
  const isList = Array.isArray(value);
  for (const [name, member] of Object.entries(value) as readonly (readonly [string, Json])[]) {
    left = roomBeside(member, left - 1 - (isList ? 0 : bytesOf(name, left) + 1), depth + 1);
    if (left < 0) return left;
  }
  return left;
}

function bytesOf(text: string, room: number): number {
  if (text.length > room) return text.length;
  if (isPlain.test(text)) return text.length + 2;
  return Buffer.byteLength(JSON.stringify(text));
}

// One byte each in JSON: nothing that is escaped, or of several bytes.
const isPlain = /^[ !#-[\]-~]*$/;
