// SOA serials from revisions of the log.
//
//   N1. Each change of a zone has a serial above every serial of that zone that any replica has
//       ever shown: all of them are revisions of the one log, and the change is the newest.
//   N2. A restart never goes back: whoever takes over writes its term into the log, and no zone's
//       serial is below the term's.

import type { Revision } from '../../common/model/ids.ts';

const counterSize = 2 ** 40;
// As many as there are serials but 0, which some servers take for "none yet".
const serials = 2 ** 32 - 1;

/**
 * SOA serial of a log revision: its counter, plus a leap per epoch, in a circle of all serials but
 * 0. It rises in the sense of RFC 1982 with every change and every restore, round the end too: no
 * two revisions that follow each other have the same.
 */
export function toSerial(revision: Revision): number {
  const epoch = Math.floor(revision / counterSize);
  const serial = ((revision % counterSize) + epoch * 2 ** 26) % serials;
  return serial === 0 ? serials : serial;
}

/** RFC 1982 3.2: true when `a` is the later of two serials. */
export function isSerialAbove(a: number, b: number): boolean {
  return a !== b && (a - b) >>> 0 < 2 ** 31;
}
