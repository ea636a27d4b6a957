// What the watches of one kind share: one subscription to its view, and the events that some of
// them have yet to send. A watch holds no events of its own, only how far it is.
//
//   U1. A watch that falls behind by more than the bound is cut off; the others do not notice, and
//       nothing is dropped in between, so that it resumes from the last revision that it saw.

import { invariant } from '../../../../common/pure/errors.ts';
import type { ObjectView, ViewEvent, WatchHandle } from '../../../desired/store.ts';

export interface HubMember {
  /** Of the keys that it wants to hear of. */
  readonly prefix: string;
  /** Number of the first event that it has not taken, or undefined when it has taken all. */
  position: number | undefined;
  /** There is something at its position. */
  wake(): void;
  /** Takes at once what its client can take. */
  catchUp(): void;
  /** U1. */
  cutOff(behindBytes: number): void;
}

// Of events waiting for the slowest: a client this far behind lists faster than it reads.
export const behindBytesMax = 4 << 20;

interface Waiting {
  readonly event: ViewEvent;
  readonly size: number;
}

export class WatchHub {
  readonly #view: ObjectView;
  readonly #prefix: string;
  readonly #members = new Set<HubMember>();
  #handle: WatchHandle | undefined;
  /** The number of waiting[0]. */
  #first = 0;
  #waiting: Waiting[] = [];
  #bytes = 0;

  /** `prefix`: of all keys of the kind. */
  constructor(view: ObjectView, prefix: string) {
    this.#view = view;
    this.#prefix = prefix;
  }

  /** From now on; what was before is the member's own to find out, in the same turn. */
  join(member: HubMember): void {
    this.#members.add(member);
    if (this.#handle !== undefined) return;
    const handle = this.#view.watch(this.#prefix, this.#view.revision(), (events) =>
      this.#onEvents(events),
    );
    invariant(handle !== 'expired', 'a view can be watched from its newest revision');
    this.#handle = handle;
  }

  leave(member: HubMember): void {
    this.#members.delete(member);
    if (this.#members.size > 0) return;
    this.#handle?.cancel();
    this.#handle = undefined;
    this.#drop(this.#waiting.length);
  }

  /** The member's next event, if there is one; takes it. */
  take(member: HubMember): ViewEvent | undefined {
    if (member.position === undefined) return undefined;
    const waiting = this.#waiting[member.position - this.#first];
    const next = member.position + 1;
    member.position = next - this.#first < this.#waiting.length ? next : undefined;
    return waiting?.event;
  }

  #onEvents(events: readonly ViewEvent[]): void {
    this.#forgetTaken();
    const position = this.#first + this.#waiting.length;
    for (const event of events) {
      const size = event.current.bytes().length;
      this.#waiting.push({ event, size });
      this.#bytes += size;
    }
    for (const member of this.#members) {
      if (!events.some(({ current }) => current.key.startsWith(member.prefix))) continue;
      member.position ??= position;
      member.wake();
    }
    if (this.#bytes > behindBytesMax) this.#cutOffSlowest();
  }

  #forgetTaken(): void {
    let oldest = this.#first + this.#waiting.length;
    for (const { position } of this.#members) {
      if (position !== undefined && position < oldest) oldest = position;
    }
    this.#drop(oldest - this.#first);
  }

  /** U1. A burst that came in one turn is nobody's slowness: all get their chance first. */
  #cutOffSlowest(): void {
    const behindBytes = this.#bytes;
    const limit = this.#first + this.#countOver();
    for (const member of this.#members) {
      if (member.position !== undefined && member.position < limit) member.catchUp();
    }
    for (const member of this.#members) {
      const { position } = member;
      if (position !== undefined && position < limit) member.cutOff(behindBytes);
    }
    this.#drop(limit - this.#first);
  }

  /** How many of the oldest events are over the bound. One alone is nobody's fault. */
  #countOver(): number {
    let bytes = this.#bytes;
    let count = 0;
    while (bytes > behindBytesMax && count < this.#waiting.length - 1) {
      bytes -= this.#waiting[count]?.size ?? 0;
      count += 1;
    }
    return count;
  }

  #drop(count: number): void {
    for (const { size } of this.#waiting.splice(0, count)) this.#bytes -= size;
    this.#first += count;
  }
}
