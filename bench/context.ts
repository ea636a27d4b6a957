// What every bench is given by main.ts.

import type { Lifecycle } from '../common/runtime/lifecycle.ts';

export interface BenchContext {
  /** A temporary folder, removed at the end. */
  readonly dir: string;
  readonly natsServer: string;
  readonly lifecycle: Lifecycle;
  /** One line of progress. */
  readonly say: (text: string) => void;
}
