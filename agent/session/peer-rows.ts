// The peer table of a replica that stands by: rows as the leading one commits them, seen as what
// they make of the table (./peer-table.ts keeps them so).

import type { ServiceKey } from '../../common/model/ids.ts';
import type { PeerService } from '../../common/model/peer-table.ts';
import { readPeerServices, serviceOfRow } from './peer-table.ts';
import type { PeerUpdate } from './record.ts';

export class PeerRows {
  readonly #rows = new Map<ServiceKey, Map<string, unknown>>();

  constructor(rows: Iterable<readonly [string, unknown]>) {
    for (const [key, value] of rows) this.#put(key, value);
  }

  services(): readonly PeerService[] {
    return [...this.#rows.values()].flatMap((rows) => [...readPeerServices(rows).values()]);
  }

  /** Work is proportional to the Services that the rows are of. */
  apply(rows: Iterable<readonly [string, unknown]>): PeerUpdate {
    const touched = new Set<ServiceKey>();
    for (const [key, value] of rows) {
      this.#put(key, value);
      touched.add(serviceOfRow(key));
    }
    const services = [...touched].map((key) => ({
      key,
      service: readPeerServices(this.#rows.get(key) ?? []).get(key),
    }));
    return {
      upserts: services.flatMap(({ service }) => service ?? []),
      removals: services.flatMap(({ key, service }) => (service === undefined ? key : [])),
    };
  }

  #put(row: string, value: unknown): void {
    const key = serviceOfRow(row);
    const rows = this.#rows.get(key) ?? new Map<string, unknown>();
    if (value === undefined) rows.delete(row);
    else rows.set(row, value);
    if (rows.size === 0) this.#rows.delete(key);
    else this.#rows.set(key, rows);
  }
}
