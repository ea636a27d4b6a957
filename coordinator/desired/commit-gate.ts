// How many writes one commit of the embedded store judges.
//
//   G1. The conditions of all writes of a commit are judged in one callback of the event loop, some 0.2 ms each. So
//       few are in one (I11); the others are in the next, in the order in which they came.
//   G2. The next commit is filled while this one is on its way to the disk: room is there for who is not judged.

/** Two or three milliseconds of a slow machine. */
export const perCommitMax = 16;

export class CommitGate {
  #unjudged = 0;
  /** Bounded by the requests in flight and the objects of the loops. */
  readonly #waiting: (() => void)[] = [];

  /** Undefined when there is room now. */
  enter(): Promise<void> | undefined {
    if (this.#unjudged < perCommitMax && this.#waiting.length === 0) {
      this.#unjudged += 1;
      return undefined;
    }
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Once for each that entered. Who goes on does so when the callback is over. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#unjudged -= 1;
    else next();
  }
}
