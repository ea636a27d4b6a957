// What the bench and its worker processes say to each other, over Node's IPC channel.

export interface WorkerCluster {
  readonly name: string;
  /** From 0, over all workers: gives the cluster its addresses and its place. */
  readonly index: number;
  readonly token: string;
}

export type ToWorker =
  | {
      readonly kind: 'start';
      /** host:port for agents. */
      readonly coordinator: string;
      readonly dataDir: string;
      /** Sessions and telemetry only, without cluster or disk: light-agent.ts. */
      readonly isLight: boolean;
      /** Agents of one worker that join at once; undefined: all. */
      readonly wave: number | undefined;
      readonly clusters: readonly WorkerCluster[];
    }
  | { readonly kind: 'tell-usage' }
  | { readonly kind: 'stop' };

export interface Applied {
  readonly cluster: string;
  readonly service: string;
  /** sharedMs() when the agent had it on its disk. */
  readonly assignedMs: number;
  /** sharedMs() when the cluster's store had it. */
  readonly atMs: number;
}

export interface Opened {
  readonly cluster: string;
  /** sharedMs() at the Welcome. */
  readonly atMs: number;
}

export type FromWorker =
  | { readonly kind: 'joined'; readonly clusters: readonly string[] }
  | { readonly kind: 'applied'; readonly applied: readonly Applied[] }
  /** Of light agents: sessions that were opened. */
  | { readonly kind: 'opened'; readonly opened: readonly Opened[] }
  /** CPU time since its start. */
  | { readonly kind: 'usage'; readonly cpuMs: number; readonly rssMiB: number }
  | { readonly kind: 'failed'; readonly why: string };
