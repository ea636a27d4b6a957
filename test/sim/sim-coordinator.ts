// The simulated coordinator, life after life, over a log that outlives it: the stages exactly as
// the program wires them, and the embedded zone's table.

import { describeError, type Log } from '../../common/runtime/log.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import type { ApiResponse } from '../../coordinator/api/machinery/api.ts';
import { createCoordinator, type Coordinator } from '../../coordinator/coordinator.ts';
import { createDesired } from '../../coordinator/desired/desired-log.ts';
import type { Desired } from '../../coordinator/desired/store.ts';
import { createZoneTable, type ZoneTable } from '../../coordinator/zone/zone-table.ts';
import { sites } from './network.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { SimBus } from './sim-bus.ts';
import type { SimMesh } from './sim-mesh.ts';
import type { SimCas } from './sim-pki.ts';
import { createSimProber, type ProberOptions } from './sim-prober.ts';
import { SimProcess } from './sim-process.ts';
import type { SimProvider } from './sim-provider.ts';
import type { SimDisk } from './sim-store.ts';
import type { Trace } from './trace.ts';

export const federation = 'myfederation';
export const domain = 'example.com';
export const ttlSeconds = 60;

export interface SimCoordinatorOptions {
  readonly disk: SimDisk;
  readonly mesh: SimMesh;
  readonly bus: SimBus;
  readonly prober: ProberOptions;
  readonly cas: SimCas;
  readonly provider: SimProvider;
  readonly clock: Clock;
  readonly chance: SeededChance;
  readonly trace: Trace;
  readonly log: Log;
  /** A bug that a canary run plants between the store and all else. */
  readonly plant?: (desired: Desired) => Desired;
}

/** One life that serves. */
export interface Serving {
  readonly process: SimProcess;
  readonly desired: Desired;
  readonly coordinator: Coordinator;
  readonly zone: ZoneTable;
}

const restartMs = 1_000;
const simulatedLogin = { kind: 'granted', userJwt: 'simulated', lifeSeconds: 900 } as const;

export class SimCoordinator {
  readonly #options: SimCoordinatorOptions;
  #process: SimProcess | undefined;
  #serving: Serving | undefined;
  #lives = 0;
  #lastTroubleMs = 0;

  constructor(options: SimCoordinatorOptions) {
    this.#options = options;
  }

  /** The life that serves; undefined while there is none. */
  get serving(): Serving | undefined {
    return this.#serving?.process.isAlive === true ? this.#serving : undefined;
  }

  lastTroubleMs(): number {
    const isFine = this.serving !== undefined && !this.serving.process.isPaused;
    return isFine ? this.#lastTroubleMs : this.#options.clock.monotonicMs();
  }

  start(): void {
    if (this.#process?.isAlive === true) return;
    const { clock, trace, chance } = this.#options;
    this.#lives += 1;
    const skewMs = chance.between(-120_000, 120_000);
    const process = new SimProcess(`coordinator-${this.#lives}`, clock, skewMs);
    this.#process = process;
    trace.note(`start ${process.name}`);
    this.#run(process).catch((error: unknown) => {
      trace.note(`${process.name} cannot start: ${describeError(error)}`);
      this.#end(process);
      clock.after(restartMs, () => this.start());
    });
  }

  kill(): void {
    if (this.#process === undefined) return;
    this.#options.trace.note(`kill ${this.#process.name}`);
    this.#end(this.#process);
    this.#options.disk.crash();
  }

  pause(): void {
    this.#options.trace.note('stop coordinator');
    this.#process?.pause();
  }

  resume(): void {
    this.#options.trace.note('continue coordinator');
    this.#lastTroubleMs = this.#options.clock.monotonicMs();
    this.#process?.resume();
  }

  /**
   * A successor takes over while this one lives on, cut off from agents and bus but not from the
   * store. Returns what ends it.
   */
  depose(): () => void {
    const deposed = this.#process;
    if (deposed === undefined) return () => undefined;
    this.#options.trace.note(`depose ${deposed.name}`);
    this.#options.mesh.killed(deposed);
    this.#options.bus.killed(deposed);
    this.#process = undefined;
    this.#serving = undefined;
    this.start();
    return () => deposed.kill();
  }

  async handle(request: {
    readonly method: string;
    readonly target: string;
    readonly body?: object | undefined;
    readonly contentType?: string;
    readonly signal: AbortSignal;
  }): Promise<ApiResponse | undefined> {
    const { serving } = this;
    if (serving === undefined) return undefined;
    const { method, target, signal } = request;
    const body = request.body === undefined ? '' : JSON.stringify(request.body);
    const contentType = request.contentType ?? 'application/json';
    return new Promise((resolve) => {
      serving.process.run(() => {
        const answer = serving.coordinator.api.handle({
          method,
          target,
          headers: {
            accept: 'application/json',
            'user-agent': 'simulated-kubectl',
            ...(body === '' ? {} : { 'content-type': contentType }),
          },
          body: Buffer.from(body),
          user: { name: 'admin', groups: ['system:masters'] },
          signal,
        });
        void serving.process.guard(answer).then(resolve);
      });
    });
  }

  #end(process: SimProcess): void {
    process.kill();
    if (this.#process === process) this.#serving = undefined;
    this.#options.mesh.killed(process);
    this.#options.bus.killed(process);
  }

  async #run(process: SimProcess): Promise<void> {
    const { disk, mesh, bus, prober, cas, provider, chance, log } = this.#options;
    const { plant = (same) => same } = this.#options;
    const { clock } = process;
    const common = {
      clock,
      chance,
      log: log.with({ process: process.name }),
      metrics: silentMetrics,
    };
    const desired = plant(await createDesired({ ...common, store: disk.open(process) }));
    const coordinator = await createCoordinator(
      {
        ...common,
        desired,
        bus: bus.client(process, sites.coordinator),
        prober: createSimProber(prober, process, sites.coordinator),
        listener: mesh.listener(process),
        authority: cas.authority(process),
        openDnsProvider: () => Promise.resolve(provider.open(process)),
        telemetryUsers: {
          login: () => Promise.resolve(simulatedLogin),
          loginUnlessHeld: () => Promise.resolve(simulatedLogin),
          urls: () => ['tls://bus:4222'],
          trust: () => undefined,
          lateRevocation: () => undefined,
        },
      },
      {
        federation,
        domain,
        ttlSeconds,
        addressRules: { allowLoopback: false },
        receiptKey: new Uint8Array(32).fill(7),
        caHash: () => cas.signingHash(),
        holder: process.name,
        apiVersion: 'v1.34.0+isthmus.0.1.0',
      },
    );
    const zone = createZoneTable({ desired, domain, federation });
    await coordinator.start();
    await coordinator.publishApi({ hosts: ['192.0.2.53'], port: 6443 });
    this.#lastTroubleMs = this.#options.clock.monotonicMs();
    this.#serving = { process, desired, coordinator, zone };
    this.#options.trace.note(`serving ${process.name}`);
  }
}
