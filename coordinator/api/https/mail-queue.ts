// Mails that wait to be read, in the order in which they came: as much in a turn of the event loop as there is
// time for, and not too much (I11).
//
//   Q1. Time and number are those of one turn. It has two sides: mails arrive while the loop polls, and
//       what is put off comes after that. Who used up the first leaves the second to others.
//   Q2. What reading costs afterwards is not in the time: frames are made of what is written, encrypted and
//       sent when its callback is over, which takes as long again and more. Hence the number.

import type { Clock } from '../../../common/runtime/clock.ts';
import type { TurnShare } from '../../../common/runtime/turn-pace.ts';
import { MailReader, type Mail } from './door-mail.ts';

/** Q2: an event told to one of many watchers costs 8 us, 2 of them where it is read. */
export const itemsPerTurnMax = 400;

export class MailQueue<T> {
  readonly #clock: Pick<Clock, 'soon'>;
  readonly #share: TurnShare;
  readonly #take: (item: T, bytes: Buffer | undefined) => void;
  #mails: MailReader<T>[] = [];
  #next = 0;
  #room = 0;
  #turn: 'none' | 'polling' | 'later' = 'none';
  #isUsedUp = false;

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
    if (this.#isUsedUp) return;
    if (this.#turn === 'none') this.#begin('polling');
    this.#work();
  }

  #begin(turn: 'polling' | 'later'): void {
    this.#turn = turn;
    this.#room = itemsPerTurnMax;
    this.#clock.soon(this.#end);
  }

  readonly #end = (): void => {
    if (this.#isUsedUp && this.#turn === 'polling') {
      this.#turn = 'later';
      this.#clock.soon(this.#end); // Q1
      return;
    }
    this.#turn = 'none';
    this.#isUsedUp = false;
    if (this.#mails.length === 0) return;
    this.#begin('later');
    this.#work();
  };

  #work(): void {
    for (let mail = this.#mails[this.#next]; mail !== undefined; mail = this.#mails[this.#next]) {
      do this.#read(mail);
      while (!mail.isRead && !this.#isUsedUp);
      if (mail.isRead) this.#next += 1;
      if (this.#isUsedUp) break;
    }
    this.#mails = this.#next < this.#mails.length ? this.#mails.slice(this.#next) : [];
    this.#next = 0;
  }

  #read(mail: MailReader<T>): void {
    const { time, untilMs } = this.#share;
    mail.read(this.#take);
    this.#room -= 1;
    this.#isUsedUp = this.#room === 0 || time.usedMs() >= untilMs;
  }
}
