// Mails that wait to be read: as much of a turn of the event loop as there is time for (I11), in the
// order in which they came.

import type { Clock } from '../../../common/runtime/clock.ts';
import type { TurnShare } from '../../../common/runtime/turn-pace.ts';
import { MailReader, type Mail } from './door-mail.ts';

export class MailQueue<T> {
  readonly #clock: Pick<Clock, 'soon'>;
  readonly #share: TurnShare;
  readonly #take: (item: T, bytes: Buffer | undefined) => void;
  #mails: MailReader<T>[] = [];
  #next = 0;
  #isPlanned = false;

  constructor(
    clock: Pick<Clock, 'soon'>,
    share: TurnShare,
    take: (item: T, bytes: Buffer | undefined) => void,
  ) {
    this.#clock = clock;
    this.#share = share;
    this.#take = take;
  }

  add(mail: Mail<T>): void {
    this.#mails.push(new MailReader(mail));
    if (!this.#isPlanned) this.#work();
  }

  #work(): void {
    const { time, untilMs } = this.#share;
    this.#isPlanned = false;
    for (let mail = this.#mails[this.#next]; mail !== undefined; mail = this.#mails[this.#next]) {
      do mail.read(this.#take);
      while (!mail.isRead && time.usedMs() < untilMs);
      if (mail.isRead) this.#next += 1;
      if (time.usedMs() >= untilMs) break;
    }
    this.#mails = this.#next < this.#mails.length ? this.#mails.slice(this.#next) : [];
    this.#next = 0;
    if (this.#mails.length === 0) return;
    this.#isPlanned = true;
    this.#clock.soon(() => this.#work());
  }
}
