// MeshListener and MeshDialer over the simulated network: ordered streams that a cut holds up and,
// lasting, breaks; that a crash resets or leaves half-open. Messages travel in their wire form.

import type { AgentMessage, CoordinatorMessage } from '../../common/model/session.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import {
  decodeAgentMessage,
  decodeCoordinatorMessage,
  decodeJoinRequest,
  decodeJoinResponse,
  encodeAgentMessage,
  encodeCoordinatorMessage,
  encodeJoinRequest,
  encodeJoinResponse,
  type JoinRequest,
  type JoinResponse,
} from '../../common/wire/mesh-codec.ts';
import { CoordinatorBusy } from '../../agent/session/mesh-port.ts';
import type { MeshDialer, StreamEnd, StreamHandler } from '../../agent/session/mesh-port.ts';
import type {
  MeshHandlers,
  MeshListener,
  PeerIdentity,
  Refusal,
  SessionHandler,
  SessionStream,
} from '../../coordinator/session/mesh-port.ts';
import { sites, type Network } from './network.ts';
import { keepaliveMs, Pipe } from './sim-pipe.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { SimCas } from './sim-pki.ts';
import type { SimProcess } from './sim-process.ts';
import type { Trace } from './trace.ts';

const connectTimeoutMs = 4_000;
/** Messages in flight above which a sender is told to wait. */
const windowMax = 32;
const resetPart = 0.7;

export interface AgentPlace {
  readonly process: SimProcess;
  readonly site: string;
  readonly remoteAddress: string;
}

interface Listening {
  readonly process: SimProcess;
  readonly handlers: MeshHandlers;
}

export interface SimMeshOptions {
  readonly network: Network;
  readonly cas: SimCas;
  readonly onSpokenTo: (peer: PeerIdentity, kind: string) => void;
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
    return {
      fetchCa: () => Promise.resolve(this.#options.cas.trustedPem().split('\n')),
      join: (request, _caPem, deadlineMs) =>
        place.process.guard(this.#join(place, request, deadlineMs)),
      connect: ({ certPem }, handler) => {
        const stream = new Stream(
          { ...this.#options, place, certPem },
          handler,
          (ended) => void this.#streams.delete(ended),
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

  /** One question and its answer, each in time or not at all. */
  #join(place: AgentPlace, request: JoinRequest, deadlineMs: number): Promise<JoinResponse> {
    const { network, clock, trace } = this.#options;
    const { site, remoteAddress } = place;
    const wire = encodeJoinRequest(request);
    return new Promise((resolve, reject) => {
      let isLost = false;
      const lost = clock.after(deadlineMs, () => {
        isLost = true;
        reject(new MeshError(...noAnswer));
      });
      clock.after(network.latencyMs(site, sites.coordinator), () => {
        const listening = this.#listening;
        if (network.isBroken(site, sites.coordinator) || listening === undefined) return;
        listening.process.run(() => {
          void listening.handlers
            .onJoin(decodeJoinRequest(wire), { remoteAddress, isGone: () => isLost })
            .catch(() => undefined) // the listener answers that it is not available
            .then((answer) => {
              if (answer === undefined || !listening.process.isAlive) return;
              clock.after(network.latencyMs(sites.coordinator, site), () => {
                if (network.isBroken(sites.coordinator, site)) return;
                lost.cancel();
                trace.note(
                  `mesh join of ${site}: ${'reason' in answer ? answer.reason : 'granted'}`,
                );
                if (!('reason' in answer)) resolve(decodeJoinResponse(encodeJoinResponse(answer)));
                else reject(toJoinError(answer));
              });
            });
        });
      });
    });
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

const noAnswer = ['retryable', 'COORDINATOR_UNREACHABLE', 'no answer'] as const;

function toJoinError({ reason, message, retry, retryAfterMs }: Refusal): MeshError {
  if (retryAfterMs !== undefined) return new CoordinatorBusy(message, retryAfterMs);
  if (reason === 'WaitingForApproval') return new MeshError('retryable', 'JOIN_WAITING', message);
  return retry ? new MeshError(...noAnswer) : new MeshError('fatal', 'JOIN_REFUSED', message);
}

interface StreamOptions extends SimMeshOptions {
  readonly place: AgentPlace;
  readonly certPem: string;
}

interface Accepted {
  readonly process: SimProcess;
  handler: SessionHandler | undefined;
}

class Stream {
  readonly #options: StreamOptions;
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

  constructor(options: StreamOptions, agent: StreamHandler, onOver: (stream: Stream) => void) {
    this.#options = options;
    this.#place = options.place;
    this.#agent = agent;
    this.#onOver = onOver;
    const onDead = (): void => this.break({ ...unreachable, message: 'keepalive' });
    const { site } = this.#place;
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
    const peer = this.#options.cas.identify(this.#options.certPem, process.clock.now());
    if ('reason' in peer) {
      this.#down.open();
      return this.endByCoordinator(peer);
    }
    const accepted: Accepted = { process, handler: undefined };
    this.#coordinator = accepted;
    process.run(() => {
      const stream: SessionStream = {
        peer,
        remoteAddress: this.#place.remoteAddress,
        send: (message) => {
          if (!this.#isCoordinatorOver) this.#options.onSpokenTo(peer, message.kind);
          return this.#sendToAgent(message);
        },
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
