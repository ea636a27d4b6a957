// MeshListener and MeshDialer over the simulated network: ordered streams that a cut holds up and,
// lasting, breaks; that a crash resets or leaves half-open. Messages travel in their wire form.

import type { AgentMessage, CoordinatorMessage } from '../../common/model/session.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import {
  decodeAgentMessage,
  decodeCoordinatorMessage,
  encodeAgentMessage,
  encodeCoordinatorMessage,
} from '../../common/wire/mesh-codec.ts';
import type { MeshDialer, StreamEnd, StreamHandler } from '../../agent/session/mesh-port.ts';
import type {
  MeshHandlers,
  MeshListener,
  PeerIdentity,
  SessionHandler,
  SessionStream,
} from '../../coordinator/session/mesh-port.ts';
import { sites, type Network } from './network.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { SimProcess } from './sim-process.ts';
import type { Trace } from './trace.ts';

/** TCP gives up a dead path, or HTTP/2 keepalive does, about then. */
const keepaliveMs = 15_000;
const connectTimeoutMs = 4_000;
const retransmitMs = 250;
/** Messages in flight above which a sender is told to wait. */
const windowMax = 32;
const resetPart = 0.7;

export interface AgentPlace {
  readonly process: SimProcess;
  readonly site: string;
  readonly peer: PeerIdentity;
  readonly remoteAddress: string;
}

interface Listening {
  readonly process: SimProcess;
  readonly handlers: MeshHandlers;
}

export interface SimMeshOptions {
  readonly network: Network;
  readonly clock: Clock;
  readonly chance: SeededChance;
  readonly trace: Trace;
}

const unreachable: StreamEnd = { reason: 'Unreachable', message: 'no answer', retry: true };

export class SimMesh {
  readonly #options: SimMeshOptions;
  readonly #streams = new Set<Stream>();
  #listening: Listening | undefined;

  constructor(options: SimMeshOptions) {
    this.#options = options;
  }

  listener(process: SimProcess): MeshListener {
    return {
      listen: (handlers) => {
        this.#listening = { process, handlers };
        return Promise.resolve(7443);
      },
      close: () => {
        if (this.#listening?.process === process) this.#listening = undefined;
        for (const stream of this.#of(process)) stream.endByCoordinator(undefined);
        return Promise.resolve();
      },
    };
  }

  dialer(place: AgentPlace): MeshDialer {
    const refuse = (): Promise<never> =>
      Promise.reject(
        new MeshError('retryable', 'COORDINATOR_UNREACHABLE', 'joins are not simulated'),
      );
    return {
      fetchCa: refuse,
      join: refuse,
      connect: (_credentials, handler) => {
        const stream = new Stream(this.#options, place, handler, (ended) =>
          this.#streams.delete(ended),
        );
        this.#streams.add(stream);
        this.#knock(stream, place);
        return {
          send: (message) => stream.sendToCoordinator(message),
          end: () => stream.endByAgent(),
        };
      },
    };
  }

  /** The process is gone: its peers are told by a reset, or by nothing but silence. */
  killed(process: SimProcess): void {
    if (this.#listening?.process === process) this.#listening = undefined;
    for (const stream of this.#of(process)) {
      if (this.#options.chance.isTrue(resetPart)) stream.reset();
      else stream.abandon();
    }
  }

  #of(process: SimProcess): readonly Stream[] {
    return [...this.#streams].filter((stream) => stream.isOf(process));
  }

  #knock(stream: Stream, { site }: AgentPlace): void {
    const { network, clock } = this.#options;
    clock.after(network.latencyMs(site, sites.coordinator), () => {
      if (network.isBroken(site, sites.coordinator)) {
        clock.after(connectTimeoutMs, () => stream.break(unreachable));
      } else if (this.#listening === undefined) {
        clock.after(network.latencyMs(sites.coordinator, site), () => stream.break(unreachable));
      } else {
        stream.accept(this.#listening);
      }
    });
  }
}

interface Accepted {
  readonly process: SimProcess;
  handler: SessionHandler | undefined;
}

class Stream {
  readonly #options: SimMeshOptions;
  readonly #place: AgentPlace;
  readonly #agent: StreamHandler;
  readonly #onOver: (stream: Stream) => void;
  readonly #up: Pipe;
  readonly #down: Pipe;
  #coordinator: Accepted | undefined;
  #isAgentOver = false;
  #isCoordinatorOver = false;
  #isTold = false;
  #mustDrain = false;

  constructor(
    options: SimMeshOptions,
    place: AgentPlace,
    agent: StreamHandler,
    onOver: (stream: Stream) => void,
  ) {
    this.#options = options;
    this.#place = place;
    this.#agent = agent;
    this.#onOver = onOver;
    const onDead = (): void => this.break({ ...unreachable, message: 'keepalive' });
    const { site } = place;
    this.#up = new Pipe(options, site, sites.coordinator, {
      onBytes: (bytes) => this.#atCoordinator(bytes),
      onDead,
    });
    this.#down = new Pipe(options, sites.coordinator, site, {
      onBytes: (bytes) => this.#atAgent(bytes),
      onDead,
    });
  }

  isOf(process: SimProcess): boolean {
    return this.#place.process === process || this.#coordinator?.process === process;
  }

  accept({ process, handlers }: Listening): void {
    if (this.#isAgentOver) return;
    const accepted: Accepted = { process, handler: undefined };
    this.#coordinator = accepted;
    process.run(() => {
      const stream: SessionStream = {
        peer: this.#place.peer,
        remoteAddress: this.#place.remoteAddress,
        send: (message) => this.#sendToAgent(message),
        end: (refusal) => this.endByCoordinator(refusal),
      };
      const handler = handlers.onSession(stream);
      accepted.handler = handler;
      if (this.#isCoordinatorOver) this.#tellCoordinator();
    });
    this.#up.open();
    this.#down.open();
  }

  sendToCoordinator(message: AgentMessage): void {
    if (!this.#isAgentOver) this.#up.send(encodeAgentMessage(message));
  }

  #sendToAgent(message: CoordinatorMessage): boolean {
    if (this.#isCoordinatorOver) return true;
    this.#down.send(encodeCoordinatorMessage(message));
    this.#mustDrain ||= this.#down.size > windowMax;
    return !this.#mustDrain;
  }

  #atCoordinator(bytes: Uint8Array): void {
    const message = decodeAgentMessage(bytes);
    this.#options.trace.note(`mesh ${this.#place.site} -> coordinator ${describe(message)}`);
    this.#coordinator?.process.run(() => {
      if (!this.#isCoordinatorOver) this.#coordinator?.handler?.onMessage(message);
    });
  }

  #atAgent(bytes: Uint8Array): void {
    const message = decodeCoordinatorMessage(bytes);
    this.#options.trace.note(`mesh coordinator -> ${this.#place.site} ${describe(message)}`);
    this.#place.process.run(() => {
      if (!this.#isAgentOver) this.#agent.onMessage(message);
    });
    if (!this.#mustDrain || this.#down.size > 0) return;
    this.#mustDrain = false;
    this.#coordinator?.process.run(() => this.#coordinator?.handler?.onDrain());
  }

  endByAgent(): void {
    if (this.#isAgentOver) return;
    this.#isAgentOver = true;
    this.#down.close();
    const { network, clock } = this.#options;
    const { site } = this.#place;
    const isCut = network.isCut(site, sites.coordinator);
    clock.after(isCut ? keepaliveMs : network.latencyMs(site, sites.coordinator), () => {
      this.#up.close();
      this.#overAtCoordinator();
    });
  }

  endByCoordinator(refusal: StreamEnd | undefined): void {
    if (this.#isCoordinatorOver) return;
    this.#overAtCoordinator();
    this.#up.close();
    const end = refusal ?? { reason: 'Ended', message: 'the coordinator ended it', retry: true };
    this.#down.finish(() => this.#overAtAgent(end));
  }

  /** Both sides learn of it at once. */
  break(end: StreamEnd): void {
    this.#up.close();
    this.#down.close();
    this.#overAtCoordinator();
    this.#overAtAgent(end);
  }

  /** One side's machine answers that nobody is there. */
  reset(): void {
    const { network, clock } = this.#options;
    const { site } = this.#place;
    if (network.isBroken(site, sites.coordinator)) return this.abandon();
    clock.after(network.latencyMs(site, sites.coordinator), () =>
      this.break({ ...unreachable, message: 'connection reset' }),
    );
  }

  /** Half-open: nothing is told; keepalive finds out. */
  abandon(): void {
    this.#options.clock.after(keepaliveMs, () =>
      this.break({ ...unreachable, message: 'keepalive' }),
    );
  }

  #overAtAgent(end: StreamEnd): void {
    this.#onOver(this);
    if (this.#isAgentOver) return;
    this.#isAgentOver = true;
    this.#place.process.run(() => this.#agent.onEnd(end));
  }

  #overAtCoordinator(): void {
    this.#onOver(this);
    if (this.#isCoordinatorOver) return;
    this.#isCoordinatorOver = true;
    this.#coordinator?.process.run(() => this.#tellCoordinator());
  }

  #tellCoordinator(): void {
    const handler = this.#coordinator?.handler;
    if (this.#isTold || handler === undefined) return;
    this.#isTold = true;
    handler.onEnd();
  }
}

function describe(message: AgentMessage | CoordinatorMessage): string {
  switch (message.kind) {
    case 'batch': {
      const upserts = message.upserts.map(({ key }) => `+${key}`);
      const removals = message.removals.map(
        ({ key, mode, revision }) => `-${key} ${mode} ${revision}`,
      );
      return ['batch of', message.revision, ...upserts, ...removals].join(' ');
    }
    case 'ack': {
      const results = message.results.map(({ key, outcome }) => `${key} ${outcome}`);
      return ['ack of', message.revision, ...results].join(' ');
    }
    default:
      return message.kind;
  }
}

interface PipeEvents {
  readonly onBytes: (bytes: Uint8Array) => void;
  /** Cut for longer than TCP tries. */
  readonly onDead: () => void;
}

/** One direction: in order, held up while its path is cut. */
class Pipe {
  readonly #options: SimMeshOptions;
  readonly #from: string;
  readonly #to: string;
  readonly #on: PipeEvents;
  readonly #queue: Uint8Array[] = [];
  #isOpen = false;
  #isClosed = false;
  #ready = 0;
  #lastAtMs = 0;
  #cutSinceMs: number | undefined;
  #isRetrying = false;
  #finish: (() => void) | undefined;

  constructor(options: SimMeshOptions, from: string, to: string, on: PipeEvents) {
    this.#options = options;
    this.#from = from;
    this.#to = to;
    this.#on = on;
  }

  get size(): number {
    return this.#queue.length;
  }

  open(): void {
    this.#isOpen = true;
    this.#flush();
  }

  close(): void {
    this.#isClosed = true;
    this.#queue.length = 0;
  }

  /** Calls back behind what was sent. */
  finish(act: () => void): void {
    this.#finish = act;
    this.send(new Uint8Array());
  }

  send(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const { clock, network } = this.#options;
    const nowMs = clock.monotonicMs();
    const atMs = Math.max(nowMs + network.latencyMs(this.#from, this.#to), this.#lastAtMs);
    this.#lastAtMs = atMs;
    this.#queue.push(bytes);
    clock.after(atMs - nowMs, () => {
      this.#ready += 1;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isClosed || !this.#isOpen || this.#ready === 0) return;
    const { clock, network } = this.#options;
    if (network.isCut(this.#from, this.#to)) {
      this.#cutSinceMs ??= clock.monotonicMs();
      if (clock.monotonicMs() - this.#cutSinceMs >= keepaliveMs) return this.#on.onDead();
      if (this.#isRetrying) return;
      this.#isRetrying = true;
      clock.after(retransmitMs, () => {
        this.#isRetrying = false;
        this.#flush();
      });
      return;
    }
    this.#cutSinceMs = undefined;
    while (this.#ready > 0 && !this.#isClosed) {
      const bytes = this.#queue.shift();
      this.#ready -= 1;
      if (bytes === undefined) return;
      if (this.#queue.length === 0 && this.#finish !== undefined) return this.#finish();
      this.#on.onBytes(bytes);
    }
  }
}
