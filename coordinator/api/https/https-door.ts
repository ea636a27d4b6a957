// The door as the API's thread has it: started, told, and started again when it ends by itself.
//
//   N1. A door that ends takes its connections with it and nothing else: what was asked through it is
//       over, and another one opens on the same port. One that does not answer for 10 s is ended.
//
// Next files to read: door-life.ts.

import type { Timer } from '../../../common/runtime/clock.ts';
import { describeError } from '../../../common/runtime/log.ts';
import { DoorLife, type DoorOptions } from './door-life.ts';
import type { DoorSettings, TlsFiles } from './door-messages.ts';

const restartMs = 1_000;

export class Door {
  readonly #options: DoorOptions;
  #settings: DoorSettings;
  #life: DoorLife | undefined;
  #restart: Timer | undefined;
  #isClosing = false;

  constructor(settings: DoorSettings, options: DoorOptions) {
    this.#settings = settings;
    this.#options = options;
  }

  /** The port; rejects with the system's error (EADDRINUSE, EACCES) when it cannot listen. */
  async open(): Promise<number> {
    const life = new DoorLife(this.#options, this.#settings);
    this.#life = life;
    try {
      const port = await life.listening();
      this.#settings = { ...this.#settings, port };
      void life.exit().then((error) => this.#onExit(error));
      return port;
    } catch (error) {
      await life.end();
      throw error;
    }
  }

  connections(): number {
    return this.#life?.connections ?? 0;
  }

  /** Resolves when new connections get these. */
  async setTls(tls: TlsFiles): Promise<void> {
    this.#settings = { ...this.#settings, tls };
    await this.#life?.setTls(tls);
  }

  /** No new connections; resolves when there are none any more. */
  async drain(): Promise<void> {
    this.#isClosing = true;
    this.#restart?.cancel();
    await this.#life?.drain();
  }

  /** Closes those that are left. */
  destroy(): void {
    this.#life?.order(['destroy']);
  }

  async end(): Promise<void> {
    await this.#life?.end();
  }

  /** N1. */
  #onExit(error: unknown): void {
    if (this.#isClosing) return;
    const { log, metrics } = this.#options;
    log.error('API door ended; opening another', { error: describeError(error) });
    metrics.count('mesh_api_door_restarts_total');
    this.#openSoon();
  }

  #openSoon(): void {
    const { clock, log } = this.#options;
    this.#restart = clock.after(restartMs, () => {
      this.open().catch((error: unknown) => {
        log.error('API door did not open', { error: describeError(error) });
        if (!this.#isClosing) this.#openSoon();
      });
    });
  }
}
