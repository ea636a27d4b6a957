// What every adapter of this process is given, and what it does on SIGHUP.

import type { Chance } from '../common/runtime/chance.ts';
import type { Clock } from '../common/runtime/clock.ts';
import type { Lifecycle } from '../common/runtime/lifecycle.ts';
import { describeError, type Log } from '../common/runtime/log.ts';
import type { MetricsRegistry } from '../common/runtime/metrics.ts';
import type { SettingValues } from '../common/runtime/settings.ts';

/** What every adapter of this process is given. */
export interface Base {
  readonly settings: SettingValues;
  readonly lifecycle: Lifecycle;
  /** Adds something to do on SIGHUP. */
  readonly onReload: (reload: Reload) => void;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  readonly federation: string;
  readonly domain: string;
  readonly clock: Clock;
  readonly chance: Chance;
}

export interface Reload {
  readonly name: string;
  readonly reload: () => Promise<void>;
}

/** On SIGHUP: files that may change under a running coordinator are read again. */
export async function reloadAll(reloads: readonly Reload[], log: Log): Promise<void> {
  for (const { name, reload } of reloads) {
    try {
      await reload();
      log.info('reloaded', { part: name });
    } catch (error) {
      log.error('not reloaded: the former stays', { part: name, error: describeError(error) });
    }
  }
}
