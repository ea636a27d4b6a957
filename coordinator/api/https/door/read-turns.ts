// How much of what has arrived is read in one turn of the event loop.
//
//   T1. Of many connections that speak in the same moment, those are read for which the turn has time;
//       the others in the turns that follow, each in its turn (I11).
//   T2. While there is time, nobody waits and nothing is done.
//   T3. What was read is known when it was read: a connection that opens a hundred streams at once has used a turn
//       before anybody could look at the time. So they are counted as well.
//
// Node reads every socket that has something before it returns to its loop, and what of HTTP/2 it has
// read it opens at once: a thousand streams on ten connections are 20 ms. Its public interface does not
// stop a socket that HTTP/2 has taken over; the handle under it does.

import type { Clock } from '../../../../common/runtime/clock.ts';
import type { TurnShare } from '../../../../common/runtime/turn-pace.ts';

/** Of a socket; undocumented, so it may be another one day: then nothing is held. */
interface Handle {
  readStop?(): unknown;
  readStart?(): unknown;
}

/** Of an Http2Session. */
export interface ReadSession {
  readonly socket: object;
  once(event: 'close', listener: () => void): unknown;
}

export interface ReadTurns {
  /** One that is read from now on, until it closes. */
  add(session: ReadSession): void;
  /** Something was read, and what follows from it is done. */
  onRead(): void;
}

/** T3. A stream is 60 to 150 us. */
const readsPerTurn = 8;
/** Connections that are read again at first, when all were stopped. */
const sliceMin = 2;

export function createReadTurns(
  clock: Pick<Clock, 'soon'>,
  { time, untilMs }: TurnShare,
): ReadTurns {
  const reading = new Set<Handle>();
  const held = new Set<Handle>();
  let slice = sliceMin;
  let readsInTurn = 0;
  const hold = (): void => {
    if (held.size === 0) {
      slice = sliceMin;
      clock.soon(goOn);
    } else slice = Math.max(1, Math.floor(slice / 2));
    for (const handle of reading) {
      handle.readStop?.();
      held.add(handle);
    }
    reading.clear();
  };
  const goOn = (): void => {
    let room = slice;
    for (const handle of held) {
      if (room === 0) break;
      room -= 1;
      held.delete(handle);
      reading.add(handle);
      handle.readStart?.();
    }
    slice *= 2;
    if (held.size > 0) clock.soon(goOn);
  };
  return {
    add: (session) => {
      const { _handle: handle } = session.socket as { readonly _handle?: Handle | null };
      if (handle === undefined || handle === null) return;
      reading.add(handle);
      session.once('close', () => {
        reading.delete(handle);
        held.delete(handle);
      });
    },
    onRead: () => {
      if (readsInTurn === 0) {
        clock.soon(() => {
          readsInTurn = 0;
        });
      }
      readsInTurn += 1;
      if (reading.size > 1 && (readsInTurn >= readsPerTurn || time.usedMs() >= untilMs)) hold();
    },
  };
}
