// A simulated cluster's agent as two pods, one of which leads: what strikes "the agent" strikes the
// one that leads, mostly, and the other is to go on.

import type { Clock } from '../../common/runtime/clock.ts';
import type { SeededChance } from './seeded-chance.ts';
import type { AgentHost, SimAgent } from './sim-agent.ts';

const lookMs = 100;

export class SimReplicas implements AgentHost {
  /** That another replica led stands in the Lease: no folder is needed for it. */
  readonly lostFolderMs = -Infinity;
  readonly #pods: readonly SimAgent[];
  readonly #chance: SeededChance;
  readonly #clock: Clock;
  #leader: SimAgent | undefined;
  #ledSinceMs = 0;
  #lastTroubleMs = 0;

  constructor(options: {
    readonly pods: readonly SimAgent[];
    readonly chance: SeededChance;
    readonly clock: Clock;
  }) {
    this.#pods = options.pods;
    this.#chance = options.chance;
    this.#clock = options.clock;
    this.#watch();
  }

  /** Who leads, and since when. */
  #watch(): void {
    this.#clock.after(lookMs, () => {
      this.#look();
      this.#watch();
    });
  }

  #look(): void {
    const leader = this.#pods.find((pod) => pod.isLeading());
    if (leader === undefined) this.#lastTroubleMs = this.#clock.monotonicMs();
    if (leader === undefined || leader === this.#leader) return;
    this.#leader = leader;
    this.#ledSinceMs = this.#clock.monotonicMs();
    this.#lastTroubleMs = this.#ledSinceMs;
  }

  get name() {
    return this.#first.name;
  }

  get agent() {
    return this.#foremost.agent;
  }

  agents() {
    return this.#pods.flatMap((pod) => pod.agents());
  }

  disks() {
    return this.#pods.flatMap((pod) => pod.disks());
  }

  giveToken(token: string): void {
    for (const pod of this.#pods) pod.giveToken(token);
  }

  hasFreshToken(): boolean {
    return this.#foremost.hasFreshToken();
  }

  isRunning(): boolean {
    return this.#pods.some((pod) => pod.isRunning());
  }

  kill(): void {
    this.#pick().kill();
  }

  killAll(): void {
    for (const pod of this.#pods) pod.kill();
  }

  lastTroubleMs(): number {
    return Math.max(this.#lastTroubleMs, ...this.#pods.map((pod) => pod.lastTroubleMs()));
  }

  loseFolder(): void {
    for (const pod of this.#pods) pod.loseFolder();
  }

  pause(): void {
    this.#pick().pause();
  }

  resume(): void {
    for (const pod of this.#pods) pod.resume();
  }

  start(): void {
    for (const pod of this.#pods) pod.start();
  }

  /** Each that leads begins anew, and may act before the next look. */
  startedMs(): number {
    this.#look();
    return Math.max(this.#ledSinceMs, this.#foremost.startedMs());
  }

  get #first(): SimAgent {
    const [first] = this.#pods;
    if (first === undefined) throw new Error('an agent has a pod');
    return first;
  }

  get #foremost(): SimAgent {
    const running = this.#pods.find((pod) => pod.isRunning());
    return this.#pods.find((pod) => pod.isLeading()) ?? running ?? this.#first;
  }

  #pick(): SimAgent {
    return this.#chance.isTrue(0.7) ? this.#foremost : this.#chance.pick(this.#pods);
  }
}
