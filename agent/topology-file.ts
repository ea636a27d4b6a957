// Adapter: the topology of the last run, as JSON in the data directory. Only a hint for a start
// without the cluster's API: a file that cannot be read counts as none.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { Topology } from '../common/model/topology.ts';
import { describeError, type Log } from '../common/runtime/log.ts';

export interface RecordedTopology {
  read(): Topology | undefined;
  write(topology: Topology): void;
}

export function openTopologyFile(path: string, log: Log): RecordedTopology {
  return {
    read: () => {
      try {
        return parseTopology(readFileSync(path, 'utf8'));
      } catch {
        return undefined;
      }
    },
    write: (topology) => {
      try {
        writeFileSync(`${path}.new`, JSON.stringify(topology));
        renameSync(`${path}.new`, path);
      } catch (error) {
        log.warn('cannot record the topology', { path, error: describeError(error) });
      }
    },
  };
}

function parseTopology(text: string): Topology | undefined {
  const value = JSON.parse(text) as Partial<Topology> | null; // checked below
  if (!Array.isArray(value?.zones) || !value.zones.every((zone) => typeof zone === 'string'))
    return undefined;
  return {
    zones: value.zones,
    region: typeof value.region === 'string' ? value.region : undefined,
    provider: typeof value.provider === 'string' ? value.provider : undefined,
  };
}
