// A client that watches the federation's Services for ever: from where it left off after each
// break, with a new list after 410.

import { toRevision, type Revision } from '../../common/model/ids.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { StreamBody } from '../../coordinator/api/machinery/api.ts';
import type { Serving, SimCoordinator } from './sim-coordinator.ts';
import { namespace, type Seen } from './user.ts';

const lookMs = 300;
const base = `/api/v1/namespaces/${namespace}/services`;

interface WatcherOptions {
  readonly coordinator: SimCoordinator;
  readonly clock: Clock;
  readonly onSeen: (seen: Seen) => void;
}

export class Watcher {
  readonly #options: WatcherOptions;
  #life: Serving | undefined;
  #abort = new AbortController();
  #from: Revision | undefined;
  #isBusy = false;
  #isOpen = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
  }

  start(): void {
    const { coordinator, clock } = this.#options;
    const look = (): void => {
      const { serving } = coordinator;
      if (serving !== this.#life) this.#isOpen = this.#isBusy = false;
      if (serving !== undefined && !this.#isOpen && !this.#isBusy) void this.#open(serving);
      clock.after(lookMs, look);
    };
    look();
  }

  async #open(serving: Serving): Promise<void> {
    this.#abort.abort();
    this.#abort = new AbortController();
    this.#life = serving;
    this.#isBusy = true;
    if (this.#from === undefined) await this.#list(serving);
    if (this.#from === undefined || this.#life !== serving) return void (this.#isBusy = false);
    const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${this.#from}`;
    const answer = await this.#get(`${base}?${query}`);
    if (this.#life !== serving) return;
    this.#isBusy = false;
    if (answer === undefined) return;
    if (answer.body instanceof Uint8Array) {
      if (answer.status === 410) this.#from = undefined;
      return;
    }
    this.#isOpen = true;
    this.#read(serving, answer.body);
  }

  async #list(serving: Serving): Promise<void> {
    const answer = await this.#get(base);
    if (this.#life !== serving || answer?.status !== 200) return;
    if (!(answer.body instanceof Uint8Array)) return;
    const list = JSON.parse(Buffer.from(answer.body).toString('utf8')) as KubeObject;
    this.#from = toRevision(Number(list.metadata.resourceVersion));
    this.#options.onSeen({ kind: 'relisted', revision: this.#from });
  }

  #get(target: string) {
    const { signal } = this.#abort;
    return this.#options.coordinator.handle({ method: 'GET', target, signal });
  }

  #read(serving: Serving, body: StreamBody): void {
    let rest = '';
    body.start({
      write: (chunk) => {
        if (this.#life !== serving || !serving.process.isAlive) return;
        rest += Buffer.from(chunk).toString('utf8');
        const lines = rest.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') this.#take(line);
      },
      bufferedBytes: () => 0,
      drained: () => Promise.resolve(),
      end: () => {
        if (this.#life === serving) this.#isOpen = false;
      },
    });
  }

  #take(line: string): void {
    const { type, object } = JSON.parse(line) as { type: string; object: KubeObject };
    if (type === 'ERROR') {
      this.#from = undefined;
      this.#isOpen = false;
      return;
    }
    const revision = toRevision(Number(object.metadata.resourceVersion));
    this.#from = revision;
    if (type !== 'BOOKMARK') this.#options.onSeen({ kind: 'event', revision, type });
  }
}
