// A hosted agent's link to the coordinator that started it: credentials come in on stdin and may be
// replaced, what the API server says of them goes out on stdout, and the end of stdin is the end of
// the agent.
//
//   P1. Credentials stand in memory only.
//   P2. The coordinator's end, however it came, closes stdin: no agent stays behind.

import type { Chance } from '../../common/runtime/chance.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import { chooseContext } from '../../common/pure/kubeconfig-choice.ts';
import { MeshError } from '../../common/pure/errors.ts';
import type { KubeClient } from '../../common/runtime/kube-client.ts';
import { createKubeClient } from '../../common/runtime/kube-http.ts';
import { createExchange, type Exchange } from '../../common/runtime/kube-http-exchange.ts';
import { parseYaml, toEndpoint } from '../../common/runtime/kubeconfig.ts';
import { describeError, type Log } from '../../common/runtime/log.ts';
import {
  createReplaceableExchange,
  type ExchangeOutcome,
  type ReplaceableExchange,
} from '../../common/runtime/replaceable-exchange.ts';
import {
  createLineReader,
  readToHosted,
  toLine,
  type FromHosted,
  type ToHosted,
} from '../../common/wire/hosted-lines.ts';
import { foldOutcome, noFaults, worstOf, type ApiFaults } from './fold.ts';

export interface Parent {
  readonly kube: KubeClient;
  /** The newest; asks for another when it has grown old. */
  token(): string | undefined;
  /** Resolves when a token is there, or after some seconds. */
  fetchToken(): Promise<void>;
}

export interface ParentOptions {
  readonly input: NodeJS.ReadableStream;
  readonly write: (text: string) => void;
  /** The coordinator is gone. */
  readonly onGone: () => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}

// The coordinator sends both at once; more means that it hangs.
const firstWaitMs = 15_000;
const tokenWaitMs = 10_000;
// The coordinator's tokens for its own agents live ten minutes.
const tokenFreshMs = 480_000;

/** Resolves with the first credentials. Throws MeshError PARENT_SILENT, KUBECONFIG_INVALID. */
export async function openParent(options: ParentOptions): Promise<Parent> {
  const link = new Link(options);
  options.input.setEncoding('utf8');
  options.input.on(
    'data',
    createLineReader((object) => link.take(readToHosted(object))),
  );
  options.input.on('end', options.onGone); // P2
  options.input.on('error', options.onGone);
  await within(options.clock, firstWaitMs, link.first);
  return link;
}

export function tellFailure(write: (text: string) => void, error: unknown): void {
  write(toLine({ kind: 'failed', message: describeError(error) }));
}

async function within(clock: Clock, ms: number, wanted: Promise<void>): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = clock.after(ms, () =>
      reject(new MeshError('fatal', 'PARENT_SILENT', `no credentials on stdin within ${ms} ms`)),
    );
    wanted.finally(() => timer.cancel()).then(resolve, reject);
  });
}

class Link implements Parent {
  readonly first: Promise<void>;
  readonly #options: ParentOptions;
  #settleFirst: (error: unknown) => void = () => undefined;
  #exchange: ReplaceableExchange | undefined;
  #kube: KubeClient | undefined;
  /** Of the credentials in use; each has its own, since a refresh may end after a replacement. */
  #in: { revision: number } = { revision: 0 };
  #faults: ApiFaults = noFaults;
  #told: string | undefined;
  #token: { readonly text: string; readonly atMs: number } | undefined;
  #askedMs = -Infinity;
  readonly #tokenWaiters = new Set<() => void>();

  constructor(options: ParentOptions) {
    this.#options = options;
    this.first = new Promise((resolve, reject) => {
      this.#settleFirst = (error) => (error === undefined ? resolve() : reject(error as Error));
    });
    this.first.catch(() => undefined); // whoever waits for it hears it
  }

  get kube(): KubeClient {
    if (this.#kube === undefined) throw new MeshError('fatal', 'PARENT_SILENT', 'no credentials');
    return this.#kube;
  }

  take(message: ToHosted | undefined): void {
    if (message === undefined) return;
    if (message.kind === 'ping') return this.#send({ kind: 'pong' });
    if (message.kind === 'token') {
      this.#token = { text: message.token, atMs: this.#options.clock.monotonicMs() };
      for (const wake of this.#tokenWaiters) wake();
      return;
    }
    if (message.kind === 'revision') {
      if (this.#in.revision === message.from) this.#in.revision = message.revision;
      return;
    }
    try {
      const use = { revision: message.revision };
      this.#use(use, this.#open(use, message.text));
      this.#settleFirst(undefined);
    } catch (error) {
      this.#settleFirst(error);
      this.#tell({ code: 'KUBECONFIG_INVALID', message: describeError(error) });
    }
  }

  token(): string | undefined {
    const { clock } = this.#options;
    const isFresh =
      this.#token !== undefined && clock.monotonicMs() - this.#token.atMs < tokenFreshMs;
    if (!isFresh) this.#askToken();
    return isFresh ? this.#token?.text : undefined;
  }

  async fetchToken(): Promise<void> {
    if (this.token() !== undefined) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#tokenWaiters.delete(done);
        timer.cancel();
        resolve();
      };
      const timer = this.#options.clock.after(tokenWaitMs, done);
      this.#tokenWaiters.add(done);
    });
  }

  #askToken(): void {
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs - this.#askedMs < tokenWaitMs / 2) return;
    this.#askedMs = nowMs;
    this.#send({ kind: 'wantsToken' });
  }

  #open(use: { readonly revision: number }, text: string): Exchange {
    const { env, clock } = this.#options;
    const path = 'the kubeconfig';
    const choice = chooseContext(parseYaml(text, path), undefined, path);
    const endpoint = toEndpoint(choice, path, {
      env,
      onRefresh: ({ idToken, refreshToken }) => {
        this.#send({ kind: 'refreshed', revision: use.revision, idToken, refreshToken });
        return Promise.resolve();
      },
    });
    return createExchange(endpoint, clock);
  }

  #use(use: { revision: number }, next: Exchange): void {
    const { clock, chance, log } = this.#options;
    this.#in = use;
    this.#faults = noFaults;
    this.#told = undefined;
    if (this.#exchange !== undefined) {
      log.info('credentials of the cluster replaced');
      this.#exchange.replace(next);
      return;
    }
    this.#exchange = createReplaceableExchange(next, (outcome) => this.#note(outcome));
    this.#kube = createKubeClient({ exchange: this.#exchange, clock, chance });
  }

  #note({ isRead, path, error }: ExchangeOutcome): void {
    if (!isRead) return;
    const message = error === undefined ? '' : describeError(error);
    this.#faults = foldOutcome(this.#faults, { path, code: error?.code, message });
    const fault = worstOf(this.#faults);
    // A failure that is no fault yet proves nothing, and an open path that answers little.
    const isProof = error === undefined && (path !== '/version' || this.#told !== undefined);
    if (fault === undefined && !isProof) return;
    this.#tell(fault);
  }

  #tell(fault: { readonly code: string; readonly message: string } | undefined): void {
    const code = fault?.code ?? 'good';
    if (this.#told === code) return;
    this.#told = code;
    this.#send({ kind: 'api', revision: this.#in.revision, fault });
  }

  #send(message: Exclude<FromHosted, { readonly kind: 'ready' }>): void {
    this.#options.write(toLine(message));
  }
}
