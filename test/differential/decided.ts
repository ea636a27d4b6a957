// What the federation answers otherwise than a kube-apiserver on purpose. A decided difference
// that no longer happens fails the suite, so the list says what is true.

export interface Decided {
  /** What differs, for the page. */
  readonly what: string;
  readonly reason: string;
  /** Titles of the steps in which it shows; `*` at the end stands for any rest. */
  readonly steps: readonly string[];
  /** Places of the answer: `body.status`, `header.warning`, `stdout`; `*` as above. */
  readonly places: readonly string[];
}

export const decided: readonly Decided[] = [];
