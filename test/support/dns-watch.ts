// Asks DNS again and again while a test does its damage, and keeps every answer that was not as it
// should be. No reply at all is counted apart: a server that is dead says nothing wrong.

import { sleep, systemClock as clock } from '../../common/runtime/clock.ts';

export interface DnsWatch {
  /** Answers that differed, as `name: answer`, each once. */
  readonly wrong: ReadonlySet<string>;
  /** Rounds in which every name answered. */
  answered(): number;
  /** Resolves when the last question is answered. */
  stop(): Promise<void>;
}

const everyMs = 40;

/** What `ask` says at the start is what it has to say until stop(). */
export async function watchDns(ask: () => Promise<ReadonlyMap<string, string>>): Promise<DnsWatch> {
  const wanted = await ask();
  const wrong = new Set<string>();
  const life = { isStopped: false };
  let answered = 0;
  const look = async (): Promise<void> => {
    while (!life.isStopped) {
      const answers = [...(await ask())];
      if (answers.every(([, answer]) => answer !== 'no reply')) answered += 1;
      for (const [name, answer] of answers) {
        if (answer !== 'no reply' && answer !== wanted.get(name)) wrong.add(`${name}: ${answer}`);
      }
      await sleep(clock, everyMs);
    }
  };
  const done = look();
  return {
    wrong,
    answered: () => answered,
    stop: async () => {
      life.isStopped = true;
      await done;
    },
  };
}
