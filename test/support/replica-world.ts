// Replicas of one agent under a manual clock: one Lease, one Secret, links in memory, disks that can
// fail. Sessions are played: what matters is who has one.

import { openReplica, type Replica } from '../../agent/replica.ts';
import type {
  FollowerLine,
  LeaderLine,
  ReplicaConnection,
  ReplicaHandler,
  ReplicaLink,
} from '../../agent/leader/replica-port.ts';
import type { AgentSession } from '../../agent/agent-ports.ts';
import type { StreamEnd } from '../../agent/session/mesh-port.ts';
import type {
  AgentRecord,
  RecordChange,
  RecordTable,
  RecordTables,
} from '../../agent/session/record.ts';
import { toRevision } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { LeaseServer, type LeaseClient } from './lease-server.ts';
import { createManualClock, type ManualClock } from './manual-clock.ts';

export interface TestReplica {
  readonly replica: Replica;
  readonly disk: MemoryTables;
  readonly lease: LeaseClient;
  /** Of the session that is open; undefined while it stands by. */
  record(): AgentRecord | undefined;
  endStream(end: StreamEnd): void;
}

/** Rows in memory; `isFull` makes each commit fail, `hang` makes them wait until told. */
export class MemoryTables implements RecordTables {
  readonly rows = new Map<RecordTable, Map<string, unknown>>();
  isFull = false;
  #moving: Promise<void> = Promise.resolve();

  /** Returns what ends it. */
  hang(): () => void {
    const held: { release?: () => void } = {};
    this.#moving = new Promise((resolve) => (held.release = resolve));
    return () => held.release?.();
  }

  load(table: RecordTable): Iterable<readonly [string, unknown]> {
    return [...(this.rows.get(table) ?? [])];
  }

  async commit(changes: readonly RecordChange[]): Promise<void> {
    if (this.isFull) throw new MeshError('retryable', 'RECORD_UNAVAILABLE', 'no space left');
    await this.#moving;
    for (const { table, key, value } of changes) {
      const rows = this.rows.get(table) ?? new Map<string, unknown>();
      this.rows.set(table, rows);
      if (value === undefined) rows.delete(key);
      else rows.set(key, value);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

export class ReplicaWorld {
  readonly clock: ManualClock = createManualClock();
  readonly server = new LeaseServer(this.clock, () => 5);
  /** data of the Secret. */
  secret: Readonly<Record<string, string>> = {};
  /** No replica hears another one. */
  isLinkCut = false;
  readonly #accepts = new Map<
    string,
    (to: ReplicaConnection<LeaderLine>) => ReplicaHandler<FollowerLine> | undefined
  >();
  #names = 0;

  async start(disk = new MemoryTables()): Promise<TestReplica> {
    this.#names += 1;
    const name = `r${this.#names}`;
    const lease = this.server.client();
    const session: { record?: AgentRecord | undefined; onEnd?: (end: StreamEnd) => void } = {};
    const opening = openReplica(
      {
        kube: this.#kube(lease),
        tables: disk,
        link: () => this.#link(name),
        openSession: (record, onEnd) => {
          Object.assign(session, { record, onEnd });
          return playSession(() => (session.record = undefined));
        },
        clock: this.clock,
        chance: { fraction: () => 0.5, uuid: () => name, bytes: (count) => new Uint8Array(count) },
        log: silentLog,
        metrics: silentMetrics,
      },
      {
        lease: { namespace: 'x', name: 'agent' },
        secret: { namespace: 'x', name: 'identity' },
        self: { pod: name, life: '1' },
        address: () => `${name}:1`,
      },
    );
    await this.clock.advance(100);
    const replica = await opening;
    replica.start();
    await this.clock.advance(1_000);
    return {
      replica,
      disk,
      lease,
      record: () => session.record,
      endStream: (end) => session.onEnd?.(end),
    };
  }

  #kube({ kube }: LeaseClient): KubeClient {
    const secret = (): KubeObject =>
      ({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'identity' },
        data: this.secret,
      }) as KubeObject;
    return {
      ...kube,
      get: () => Promise.resolve(secret()),
      mergePatch: (path, ...rest) => {
        if (path.plural !== 'secrets') return kube.mergePatch(path, ...rest);
        this.secret = { ...this.secret, ...(rest[1]['data'] as Record<string, string>) };
        return Promise.resolve(secret());
      },
    };
  }

  #link(name: string): ReplicaLink {
    return {
      listen: (accept) => {
        this.#accepts.set(`${name}:1`, accept);
        return Promise.resolve({ port: 1, close: () => Promise.resolve() });
      },
      connect: (address, handler) => this.#connect(address, handler),
    };
  }

  #connect(address: string, handler: ReplicaHandler<LeaderLine>): ReplicaConnection<FollowerLine> {
    let isOver = false;
    let leader: ReplicaHandler<FollowerLine> | undefined;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      this.clock.soon(() => (handler.onEnd('closed'), leader?.onEnd('closed')));
    };
    this.clock.after(2, () => {
      if (this.isLinkCut) return end();
      leader = this.#accepts.get(address)?.({
        send: (line) => {
          if (isOver) return false;
          this.clock.after(1, () => {
            if (isOver || this.isLinkCut) return;
            handler.onLine(line);
          });
          return true;
        },
        end,
      });
      if (leader === undefined) end();
    });
    return {
      send: (line) => {
        if (!isOver) this.clock.after(1, () => leader?.onLine(line));
        return !isOver;
      },
      end,
    };
  }
}

function playSession(onStop: () => void): AgentSession {
  return {
    welcome: () => undefined,
    onWelcome: () => () => undefined,
    peers: () => [],
    onPeers: () => () => undefined,
    isOpen: () => true,
    incarnation: () => ({ session: 1, boot: 1 }),
    viewRevision: () => toRevision(0),
    assignment: {
      shard: () => undefined,
      order: () => undefined,
      keys: () => [],
      recover: () => Promise.resolve(),
      removals: () => undefined,
      noteRemovals: () => Promise.resolve(),
      subscribe: () => () => undefined,
    },
    report: () => undefined,
    announceTopology: () => undefined,
    tellForeign: () => undefined,
    start: () => undefined,
    stop: () => {
      onStop();
      return Promise.resolve();
    },
  };
}
