// The worker processes, as the bench sees them: started with their clusters, listened to, ended.
// Adapter (child processes, IPC).

import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../common/runtime/clock.ts';
import type { Usage } from './coordinator-process.ts';
import type { Applied, FromWorker, Opened, ToWorker, WorkerCluster } from './worker-messages.ts';

export interface WorkerPool {
  /** Resolves when every agent has joined. */
  start(coordinator: string, clusters: readonly WorkerCluster[]): Promise<void>;
  /** Resolves with what each cluster reported of `service`, when all clusters did. */
  applied(service: string, withinMs: number): Promise<readonly Applied[]>;
  /** Of light agents: the first opening of each of `count` clusters since a moment. */
  opened(
    since: { readonly ms: number; readonly count: number },
    withinMs: number,
  ): Promise<readonly Opened[]>;
  /** What they use together; CPU time since their start. */
  usage(): Promise<Usage>;
  end(): Promise<void>;
}

interface Waiting {
  readonly seen: Applied[];
  onChange: () => void;
}

// A process stands for 25 that would have 16 MiB of young generation each.
const execArgv = ['--max-semi-space-size=64'];
const joinMsDefault = 90_000;
const usageMs = 10_000;
const endMs = 4_000;

export function createWorkerPool(options: {
  readonly workers: number;
  readonly dataDir: string;
  readonly isLight?: boolean;
  /** Agents of one worker that join at once. Default: all. */
  readonly wave?: number;
  /** For all of them to have joined. */
  readonly joinMs?: number;
  readonly clock: Clock;
  readonly say: (text: string) => void;
}): WorkerPool {
  const { workers, dataDir, isLight = false, joinMs = joinMsDefault, clock, say } = options;
  const { wave } = options;
  const byService = new Map<string, Waiting>();
  let usages: Usage[] = [];
  const joined = new Set<string>();
  let clusterCount = 0;
  let isEnding = false;
  const openings: Opened[] = [];
  let onOpened = (): void => undefined;
  let onJoined = (): void => undefined;
  let onUsage = (): void => undefined;
  let onFailed = (_error: Error): void => undefined;

  const waitingFor = (service: string): Waiting => {
    const waiting = byService.get(service) ?? { seen: [], onChange: () => undefined };
    byService.set(service, waiting);
    return waiting;
  };

  const hear = (message: FromWorker): void => {
    switch (message.kind) {
      case 'joined':
        for (const cluster of message.clusters) joined.add(cluster);
        say(`${joined.size} of ${clusterCount} agents have joined`);
        return onJoined();
      case 'applied':
        for (const applied of message.applied) {
          const waiting = waitingFor(applied.service);
          waiting.seen.push(applied);
          waiting.onChange();
        }
        return undefined;
      case 'opened':
        openings.push(...message.opened);
        return onOpened();
      case 'usage':
        usages.push(message);
        return onUsage();
      case 'failed':
        return onFailed(new Error(`a worker failed: ${message.why}`));
    }
  };

  const script = fileURLToPath(new URL('./worker.js', import.meta.url));
  const children = Array.from({ length: workers }, () => {
    const child = fork(script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'], execArgv });
    child.on('message', hear);
    child.on('error', (error) => onFailed(error));
    child.once('exit', (code, signal) => {
      if (!isEnding) onFailed(new Error(`a worker ended: ${signal ?? `code ${code ?? 0}`}`));
    });
    return child;
  });
  const tell = (child: ChildProcess, message: ToWorker): void => {
    if (child.connected) child.send(message);
  };

  return {
    start: (coordinator, clusters) => {
      clusterCount = clusters.length;
      return within(clock, joinMs, 'not all agents joined', (resolve, reject) => {
        onFailed = reject;
        onJoined = () => (joined.size === clusterCount ? resolve(undefined) : undefined);
        for (const [index, child] of children.entries()) {
          const own = clusters.filter((cluster) => cluster.index % workers === index);
          tell(child, { kind: 'start', coordinator, dataDir, isLight, wave, clusters: own });
        }
      });
    },
    applied: (service, withinMs) => {
      const waiting = waitingFor(service);
      const what = (): string => `${service} is in ${waiting.seen.length} of ${clusterCount} only`;
      return within(clock, withinMs, what, (resolve, reject) => {
        onFailed = reject;
        waiting.onChange = () => {
          if (waiting.seen.length >= clusterCount) resolve(waiting.seen);
        };
        waiting.onChange();
      });
    },
    opened: ({ ms, count }, withinMs) => {
      const first = (): readonly Opened[] => {
        const since = openings.filter(({ atMs }) => atMs >= ms);
        return [...new Map(since.toReversed().map((one) => [one.cluster, one])).values()];
      };
      const what = (): string => `${first().length} of ${count} sessions only`;
      return within(clock, withinMs, what, (resolve, reject) => {
        onFailed = reject;
        onOpened = () => {
          const all = first();
          if (all.length >= count) resolve(all);
        };
        onOpened();
      });
    },
    usage: async () => {
      usages = [];
      await within<undefined>(clock, usageMs, 'no usage of the workers', (resolve, reject) => {
        onFailed = reject;
        onUsage = () => (usages.length === workers ? resolve(undefined) : undefined);
        for (const child of children) tell(child, { kind: 'tell-usage' });
      });
      return {
        cpuMs: usages.reduce((sum, { cpuMs }) => sum + cpuMs, 0),
        rssMiB: usages.reduce((sum, { rssMiB }) => sum + rssMiB, 0),
      };
    },
    end: async () => {
      isEnding = true;
      await Promise.all(children.map((child) => endChild(child, clock, tell)));
    },
  };
}

async function endChild(
  child: ChildProcess,
  clock: Clock,
  tell: (child: ChildProcess, message: ToWorker) => void,
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const timer = clock.after(endMs, () => child.kill('SIGKILL'));
  tell(child, { kind: 'stop' });
  await gone;
  timer.cancel();
}

/** A promise that rejects with `what` when it takes longer. */
function within<T>(
  clock: Clock,
  withinMs: number,
  what: string | (() => string),
  begin: (resolve: (value: T) => void, reject: (error: Error) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = clock.after(withinMs, () => {
      const text = typeof what === 'string' ? what : what();
      reject(new Error(`${text} after ${withinMs / 1000} s`));
    });
    begin(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}
