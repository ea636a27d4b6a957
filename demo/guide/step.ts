// A step of the guide: a name, and a check that does something and says what it saw.

import type { World } from './world.ts';

export interface Step {
  /** A sentence about what must happen. */
  readonly title: string;
  /** Resolves with what was seen; throws StepFailure with what was seen instead. */
  readonly run: (world: World) => Promise<string>;
}

export class StepFailure extends Error {}

export type Seen =
  /** As wanted. */
  { readonly ok: true; readonly saw: string } | { readonly ok: false; readonly saw: string };

export function seen(ok: boolean, saw: string): Seen {
  return { ok, saw };
}
