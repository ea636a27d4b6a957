// Port: the agents that the coordinator runs as children of its own process. Adapter:
// ./child-process.ts.

import type { ClusterName } from '../../common/model/ids.ts';
import type { FromHosted, ToHosted } from '../../common/wire/hosted-lines.ts';

export interface ChildStart {
  readonly cluster: ClusterName;
  /** Of the Cluster: its folder is nobody else's, also of a later cluster of that name. */
  readonly uid: string;
  /** The first thing that it is told. */
  readonly credentials: ToHosted;
  readonly onMessage: (message: FromHosted) => void;
  /** Once, last. `how` for people: `exit code 1`, `SIGKILL`. */
  readonly onEnd: (how: string) => void;
}

export interface Child {
  send(message: ToHosted): void;
  /** Asks it to end; makes it end when it does not. Resolves when it is gone. */
  stop(): Promise<void>;
}

export interface Children {
  /** Ends what an earlier life left running there first. */
  start(start: ChildStart): Promise<Child>;
  /** Uids of clusters that have a folder. */
  folders(): Promise<readonly string[]>;
  removeFolder(uid: string): Promise<void>;
}
