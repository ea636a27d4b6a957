// Questions to agents: what does your resolver answer its Pods? Each is answered once, or its time is
// over, or the stream ends. Few at once (I11): they are people's, not ours.

import type { ClusterName } from '../../common/model/ids.ts';
import type { AgentAnswer } from '../../common/model/views.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { AgentLink } from './link.ts';
import type { ClusterRecord } from './stage.ts';

const waitingMax = 100;
const waitMs = 5_000;
// Ids on the wire are 32 bits.
const idMax = 2 ** 32;

interface Waiting {
  readonly link: AgentLink;
  readonly end: (answer: AgentAnswer) => void;
}

export class Questions {
  readonly #waiting = new Map<number, Waiting>();
  readonly #clock: Clock;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `message`: one DNS question; so is the answer. */
  ask(record: ClusterRecord | undefined, message: Uint8Array): Promise<AgentAnswer> {
    const link = record?.link;
    if (link === undefined || record?.state === undefined) return answered({ kind: 'away' });
    if (record.state.answersDns !== true) return answered({ kind: 'tooOld' });
    if (this.#waiting.size >= waitingMax) return answered({ kind: 'busy' });
    this.#last = (this.#last + 1) % idMax;
    const id = this.#last;
    return new Promise((resolve) => {
      const end = (answer: AgentAnswer): void => {
        timer.cancel();
        this.#waiting.delete(id);
        resolve(answer);
      };
      const timer = this.#clock.after(waitMs, () => end({ kind: 'silent' }));
      this.#waiting.set(id, { link, end });
      link.sendNow({ kind: 'dnsQuestion', id, message });
    });
  }

  /** An answer of another agent than was asked is none. */
  answer(
    link: AgentLink,
    { id, message }: { readonly id: number; readonly message: Uint8Array },
  ): void {
    const waiting = this.#waiting.get(id);
    if (waiting?.link !== link) return;
    waiting.end(message.length === 0 ? { kind: 'unable' } : { kind: 'answer', message });
  }

  /** Its stream is over. */
  forget(link: AgentLink): void {
    for (const waiting of this.#waiting.values()) {
      if (waiting.link === link) waiting.end({ kind: 'away' });
    }
  }
}

function answered(answer: AgentAnswer): Promise<AgentAnswer> {
  return Promise.resolve(answer);
}

export type AskAgent = (cluster: ClusterName, message: Uint8Array) => Promise<AgentAnswer>;
