// What replicas of one agent tell each other: the record of the one that leads, row by row, so that
// any of the others can go on from it. The port; adapter: tls-replica-link.ts.

/** The tables of the record; `facts` last, for they say how far the others are. */
export const recordTables = ['shards', 'orders', 'peers', 'facts'] as const;

/** One row of the record; undefined removes it. */
export interface Row {
  readonly table: string;
  readonly key: string;
  readonly value: unknown;
}

export type LeaderLine =
  /** A part of everything that the leader holds. */
  | { readonly kind: 'rows'; readonly rows: readonly Row[] }
  /** That was everything: rows that were not named are gone. Answered when durable. */
  | { readonly kind: 'current'; readonly number: number }
  /** One commit, all or nothing; answered when durable. */
  | { readonly kind: 'commit'; readonly number: number; readonly rows: readonly Row[] }
  /** A sign of life. */
  | { readonly kind: 'state'; readonly isSessionOpen: boolean };

export interface FollowerLine {
  readonly kind: 'durable';
  readonly number: number;
}

export interface ReplicaConnection<Out> {
  /** False when it is over, or so full that the other side cannot be alive. */
  send(line: Out): boolean;
  end(): void;
}

export interface ReplicaHandler<In> {
  onLine(line: In): void;
  /** Once. */
  onEnd(reason: string): void;
}

export interface ReplicaLink {
  /** Serves replicas that prove to hold the same key. Rejects when the port is taken. */
  listen(
    accept: (connection: ReplicaConnection<LeaderLine>) => ReplicaHandler<FollowerLine> | undefined,
  ): Promise<{ readonly port: number; close(): Promise<void> }>;
  /** Never throws; a link that cannot be made ends. */
  connect(address: string, handler: ReplicaHandler<LeaderLine>): ReplicaConnection<FollowerLine>;
}

/** Where rows are kept. */
export interface RowTables {
  load(table: string): Iterable<readonly [string, unknown]>;
  /** All or none, durable when it resolves. */
  commit(rows: readonly Row[]): Promise<void>;
}
