// SOA serials from revisions of the log.
//
//   N1. Each change of a zone has a serial above every serial of that zone that any replica has
//       ever shown: all of them are revisions of the one log, and the change is the newest.
//   N2. A restart never goes back: whoever takes over writes its term into the log, and no zone's
//       serial is below the term's.

import type { Revision } from '../../common/model/ids.ts';

const counterSize = 2 ** 40;

/**
 * SOA serial of a log revision: its counter, plus a leap per epoch, modulo 2^32 and never 0. It
 * rises in the sense of RFC 1982 with every change and every restore.
 */
export function toSerial(revision: Revision): number {
  const epoch = Math.floor(revision / counterSize);
  const serial = ((revision % counterSize) + epoch * 2 ** 26) % 2 ** 32;
  return serial === 0 ? 1 : serial;
}

/** RFC 1982 3.2: true when `a` is the later of two serials. */
export function isSerialAbove(a: number, b: number): boolean {
  return a !== b && (a - b) >>> 0 < 2 ** 31;
}
