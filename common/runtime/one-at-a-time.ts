// Something that is asked for at any time and done by one run at a time, such as a reload.

/**
 * A function that has `run` run. Asked for while it runs, it runs once more afterwards, however
 * often it was asked. `run` must not reject.
 */
export function oneAtATime(run: () => Promise<void>): () => void {
  let [isRunning, isAsked] = [false, false];
  const start = async (): Promise<void> => {
    isRunning = true;
    while (isAsked) {
      isAsked = false;
      await run();
    }
    isRunning = false;
  };
  return () => {
    isAsked = true;
    if (!isRunning) void start();
  };
}
