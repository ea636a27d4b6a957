// Reads YAML on a thread of its own, which is started by the first text and rests with the last:
// the library parses at one go, up to a tenth of a second, and meanwhile answers nobody.
//
// Input: texts. Output: what parseYamlBody makes of them, or its errors (ReadYaml).
//
//   Y1. One text at a time; few wait. Who comes to a full queue gets 429 and when to come again.
//   Y2. A text that takes too long, or ends the thread, costs its own request only: the thread is
//       started again for those that wait.
//   Y3. Nothing is left after close(): no thread, no timer, no promise that waits.
//
// Next files to read: yaml-thread.ts, machinery/schema/parse-ahead.ts.

import type { Clock, Timer } from '../../../common/runtime/clock.ts';
import { describeError, type Log } from '../../../common/runtime/log.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import {
  internal,
  serviceUnavailable,
  timeout,
  tooLargeBecause,
  tooManyRequests,
} from '../machinery/answer/status-error.ts';
import type { ReadYaml } from '../machinery/schema/parse-ahead.ts';
import type { ParsedYaml } from '../machinery/schema/yaml-body.ts';
import { fromYamlAnswer, type YamlAnswer } from './yaml-messages.ts';

export interface YamlThread {
  /** The next text; only after the answer to the one before. */
  send(text: string): void;
  /** Ends it, whatever it does; resolves when it is gone. */
  end(): Promise<void>;
}

/** Why a thread is gone that nobody ended. */
export type ThreadLoss = 'memory' | 'fault';

export type StartYamlThread = (to: {
  readonly onAnswer: (answer: YamlAnswer) => void;
  /** Once; `error` is for the log. */
  readonly onLoss: (loss: ThreadLoss, error: unknown) => void;
}) => YamlThread;

export interface YamlReader {
  readonly read: ReadYaml;
  close(): Promise<void>;
}

export interface YamlReaderOptions {
  readonly start: StartYamlThread;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** With 256 KB each, which is the limit of YAML, 8 MB and some 3 s. */
export const waitingMax = 32;
/** A text within the limits takes 0.1 s: fifty times that on a machine that is very busy. */
export const readMs = 5_000;
/** A thread is some 10 MB, and few send YAML. */
export const idleMs = 60_000;

export function createYamlReader(options: YamlReaderOptions): YamlReader {
  const reader = new Reader(options);
  return { read: (text) => reader.read(text), close: () => reader.close() };
}

interface Job {
  readonly text: string;
  readonly resolve: (parsed: ParsedYaml) => void;
  readonly reject: (error: unknown) => void;
}

class Reader {
  readonly #options: YamlReaderOptions;
  readonly #waiting: Job[] = [];
  #current: Job | undefined;
  #thread: YamlThread | undefined;
  /** Ends what takes too long, or the thread that rests. */
  #timer: Timer | undefined;
  #ending: Promise<unknown> = Promise.resolve();
  #isClosed = false;

  constructor(options: YamlReaderOptions) {
    this.#options = options;
  }

  read(text: string): Promise<ParsedYaml> {
    if (this.#isClosed) return Promise.reject(serviceUnavailable('the server is stopping'));
    if (this.#waiting.length >= waitingMax) {
      this.#count('overload');
      return Promise.reject(tooManyRequests()); // Y1
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ text, resolve, reject });
      this.#next();
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const stopping = serviceUnavailable('the server is stopping');
    for (const job of this.#waiting.splice(0)) job.reject(stopping);
    this.#take()?.reject(stopping);
    this.#endThread();
    await this.#ending;
  }

  #next(): void {
    if (this.#current !== undefined || this.#isClosed) return;
    this.#timer?.cancel();
    const job = this.#waiting.shift();
    if (job === undefined) {
      this.#timer = this.#options.clock.after(idleMs, () => this.#endThread());
      return;
    }
    this.#current = job;
    try {
      this.#thread ??= this.#startThread();
      this.#timer = this.#options.clock.after(readMs, () => this.#giveUp());
      this.#thread.send(job.text);
    } catch (error) {
      this.#lose('fault', error);
    }
  }

  #startThread(): YamlThread {
    // Of a thread that was ended nothing is heard any more.
    const isCurrent = (): boolean => this.#thread === thread;
    const thread = this.#options.start({
      onAnswer: (answer) => {
        if (isCurrent()) this.#answer(answer);
      },
      onLoss: (loss, error) => {
        if (isCurrent()) this.#lose(loss, error);
      },
    });
    return thread;
  }

  #answer(answer: YamlAnswer): void {
    const job = this.#take();
    try {
      job?.resolve(fromYamlAnswer(answer));
    } catch (error) {
      job?.reject(error);
    }
    this.#next();
  }

  /** Y2: too long. */
  #giveUp(): void {
    const job = this.#take();
    this.#count('deadline');
    this.#options.log.warn('YAML took too long to read', { characters: job?.text.length, readMs });
    this.#endThread();
    job?.reject(timeout(`YAML was not read within ${readMs / 1000}s; send JSON`));
    this.#next();
  }

  /** Y2: the thread is gone. */
  #lose(loss: ThreadLoss, error: unknown): void {
    const job = this.#take();
    this.#thread = undefined;
    this.#count(loss);
    this.#options.log.error('YAML thread ended; the next text starts it again', {
      loss,
      characters: job?.text.length,
      error: describeError(error),
    });
    job?.reject(
      loss === 'memory'
        ? tooLargeBecause('this YAML takes too much memory to read; send JSON')
        : internal('see the log of the server'),
    );
    this.#next();
  }

  /** The job that was being read, with its deadline gone. */
  #take(): Job | undefined {
    const job = this.#current;
    this.#current = undefined;
    this.#timer?.cancel();
    return job;
  }

  #endThread(): void {
    const thread = this.#thread;
    this.#thread = undefined;
    if (thread === undefined) return;
    this.#ending = Promise.all([this.#ending, thread.end()]);
  }

  #count(problem: 'overload' | 'deadline' | ThreadLoss): void {
    this.#options.metrics.count('mesh_api_yaml_failures_total', { problem });
  }
}
