// A clock that only work moves, with turns of an event loop that run what was due before them.

export function createLoopClock() {
  let nowMs = 0;
  let due: (() => void)[] = [];
  const settle = async (): Promise<void> => {
    for (let step = 0; step < 20; step += 1) await Promise.resolve();
  };
  return {
    work: (ms: number) => {
      nowMs += ms;
    },
    /** How long it was. */
    turn: async (): Promise<number> => {
      const startMs = nowMs;
      for (const run of due.splice(0)) {
        run();
        await settle(); // as Node: promises first, then the next callback
      }
      return nowMs - startMs;
    },
    settle,
    isIdle: () => due.length === 0,
    clock: {
      now: () => nowMs,
      monotonicMs: () => nowMs,
      after: () => ({ cancel: () => undefined }),
      soon: (run: () => void) => {
        due = [...due, run];
        return { cancel: () => undefined };
      },
    },
  };
}
