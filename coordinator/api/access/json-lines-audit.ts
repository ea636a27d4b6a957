// The audit log as a file of JSON lines: written in the order of the events, in batches, behind the
// event loop's back; a new file when one is full, and the oldest goes.
//
//   L1. write() never waits and never throws. What there is no room for is counted, not kept.
//   L2. close() writes what was taken, unless the disk refuses it.
//   L3. A disk that refuses is tried again with the next batch; it stops nothing but the log.

import { mkdir, open, rename, stat, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { JsonObject } from '../../../common/model/kube-object.ts';
import { describeError, type Log } from '../../../common/runtime/log.ts';
import type { Metrics } from '../../../common/runtime/metrics.ts';
import type { AuditSink } from '../machinery/access/request-audit.ts';

export interface AuditFileOptions {
  readonly path: string;
  /** A file that would grow beyond it becomes `<path>.1`. */
  readonly fileBytesMax: number;
  /** Former files that stay. */
  readonly backupsMax: number;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface AuditFile extends AuditSink {
  /** Resolves when everything taken so far is with the disk, or refused by it. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

// Of events that wait for the disk: some seconds of a busy server.
const queuedBytesMax = 16 << 20;
// One write of some megabytes takes a disk a moment, and no turn of the loop.
const batchBytesMax = 4 << 20;

/** Rejects when the file cannot be opened at the start: an operator wants to know at once. */
export async function openAuditFile(options: AuditFileOptions): Promise<AuditFile> {
  await mkdir(dirname(options.path), { recursive: true, mode: 0o700 });
  const file = new Rotating(options);
  await file.open();
  return new Queue(file, options);
}

class Queue implements AuditFile {
  readonly #file: Rotating;
  readonly #options: AuditFileOptions;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  #isFailing = false;

  constructor(file: Rotating, options: AuditFileOptions) {
    this.#file = file;
    this.#options = options;
  }

  write(event: JsonObject): void {
    const line = Buffer.from(`${JSON.stringify(event)}\n`);
    if (this.#waitingBytes + line.length > queuedBytesMax) {
      this.#options.metrics.count('mesh_api_audit_lost_total', { reason: 'queue' }); // L1
      return;
    }
    this.#waiting.push(line);
    this.#waitingBytes += line.length;
    this.#writing ??= this.#drain();
  }

  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async close(): Promise<void> {
    await this.flush(); // L2
    await this.#file.close();
  }

  async #drain(): Promise<void> {
    // What comes in the same turn goes in the same write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#take();
      try {
        await this.#file.append(Buffer.concat(batch));
        this.#say(undefined);
      } catch (error) {
        this.#options.metrics.count('mesh_api_audit_lost_total', { reason: 'disk' }, batch.length);
        this.#say(error);
      }
    }
    this.#writing = undefined;
  }

  #take(): readonly Buffer[] {
    let bytes = 0;
    const count = this.#waiting.findIndex((line, index) => {
      bytes += line.length;
      return index > 0 && bytes > batchBytesMax;
    });
    const batch = this.#waiting.splice(0, count < 0 ? this.#waiting.length : count);
    for (const line of batch) this.#waitingBytes -= line.length;
    return batch;
  }

  /** Once when it begins and once when it ends: a full disk is full for each event. */
  #say(error: unknown): void {
    const isFailing = error !== undefined;
    if (isFailing === this.#isFailing) return;
    this.#isFailing = isFailing;
    const { log, path } = this.#options;
    if (isFailing) {
      log.error('audit events are lost: the file cannot be written', {
        path,
        error: describeError(error),
      });
    } else log.info('audit events are written again', { path });
  }
}

const lineEnd = Buffer.from('\n');

class Rotating {
  readonly #options: AuditFileOptions;
  #handle: FileHandle | undefined;
  #bytes = 0;
  #isBroken = false;

  constructor(options: AuditFileOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    const { path } = this.#options;
    this.#handle = await open(path, 'a', 0o600);
    this.#bytes = (await stat(path)).size;
  }

  async append(bytes: Buffer): Promise<void> {
    const isFull = this.#bytes > 0 && this.#bytes + bytes.length > this.#options.fileBytesMax;
    if (isFull) await this.#rotate();
    if (this.#handle === undefined) await this.open();
    // A write that failed half way left a half line: the next begins on one of its own.
    try {
      await this.#handle?.appendFile(this.#isBroken ? Buffer.concat([lineEnd, bytes]) : bytes);
      this.#isBroken = false;
      this.#bytes += bytes.length;
    } catch (error) {
      this.#isBroken = true;
      await this.close();
      throw error;
    }
  }

  async #rotate(): Promise<void> {
    await this.close();
    const { path, backupsMax } = this.#options;
    for (let number = backupsMax; number >= 1; number -= 1) {
      const from = number === 1 ? path : `${path}.${number - 1}`;
      await rename(from, `${path}.${number}`).catch(ignoreMissing);
    }
  }

  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }
}

function ignoreMissing(error: unknown): void {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error; // errors of node:fs
}
