// The file of bearer tokens, read again whenever it changes: also when it is replaced by a rename,
// as editors and Kubernetes' mounted Secrets do it.
//
//   F1. A file that cannot be read changes nothing: the tokens of the last good one stay.

import { watch, type FSWatcher } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../../../common/runtime/clock.ts';
import { describeError, type Log } from '../../../common/runtime/log.ts';
import { MeshError } from '../../../common/pure/errors.ts';
import {
  createTokenTable,
  type HashedToken,
  type TokenSource,
} from '../machinery/access/authenticate.ts';

export interface TokenFile extends TokenSource {
  /** Reads the file again; rejects when it is no good, and then changes nothing (F1). */
  reload(): Promise<void>;
  close(): void;
}

// A file is often written in several steps; what is read is what stands after the last one.
const settleMs = 100;

/** Rejects with API_TOKENS_INVALID when the file is no good at the start. */
export async function openTokenFile(options: {
  readonly path: string;
  readonly parse: (text: string) => readonly HashedToken[] | string;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<TokenFile> {
  const { path, parse, clock, log } = options;
  const read = async (): Promise<readonly HashedToken[]> => {
    const tokens = parse(await readFile(path, 'utf8'));
    if (typeof tokens !== 'string') return tokens;
    throw new MeshError('fatal', 'API_TOKENS_INVALID', `${path}: ${tokens}`);
  };
  let version = await toVersion(path);
  let table = createTokenTable(await read());
  let timer: Timer | undefined;
  const reload = async (): Promise<void> => {
    const tokens = await read();
    table = createTokenTable(tokens);
    log.info('API tokens read', { path, tokens: tokens.length });
  };
  // Other files of the folder change too: a log may lie beside the tokens.
  const reloadChanged = async (): Promise<void> => {
    const now = await toVersion(path);
    if (now === version) return;
    version = now;
    await reload();
  };
  const onChange = (): void => {
    timer?.cancel();
    timer = clock.after(settleMs, () => {
      reloadChanged().catch((error: unknown) => {
        log.error('API tokens not read: the former ones stay', {
          path,
          error: describeError(error),
        });
      });
    });
  };
  const watcher = watchFolder(dirname(path), onChange, log);
  return {
    find: (token) => table.find(token),
    reload,
    close: () => {
      timer?.cancel();
      watcher?.close();
    },
  };
}

/** Changes whenever the file does, or another takes its place. */
async function toVersion(path: string): Promise<string> {
  const { ino, size, mtimeMs } = await stat(path);
  return `${ino} ${size} ${mtimeMs}`;
}

/** The folder, since a file that is replaced is another file. Without it SIGHUP is left. */
function watchFolder(folder: string, onChange: () => void, log: Log): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, onChange);
    watcher.on('error', (error) => {
      log.warn('API tokens are not watched: send SIGHUP after a change', {
        folder,
        error: describeError(error),
      });
    });
    return watcher;
  } catch (error) {
    log.warn('API tokens are not watched: send SIGHUP after a change', {
      folder,
      error: describeError(error),
    });
    return undefined;
  }
}
