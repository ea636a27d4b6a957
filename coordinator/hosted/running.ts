// What the loop knows of an agent that it has started, until that is stopped.

import type { ClusterName } from '../../common/model/ids.ts';
import type { Child } from './children.ts';
import type { HostedChild } from './plan.ts';
import type { HostedState } from './plan-condition.ts';

export interface MadeToken {
  readonly token: string;
  /** Once its agent has joined, nobody needs it. */
  readonly remove: () => Promise<void>;
}

export interface Running {
  readonly name: ClusterName;
  readonly uid: string;
  child: Child | undefined;
  state: HostedChild['state'];
  given: number; // revision of the credentials that the child was given; each token that it refreshes is a later one
  revision: number;
  startedMs: number;
  dueMs: number;
  failures: number;
  told: HostedState;
  failure: string;
  /** L3: the credentials that are being written with what it refreshed. */
  keeping: string | undefined;
  /** Tokens that its agent was given and may not have used yet. */
  tokens: readonly MadeToken[];
}
