// Port of outside probes. Adapter: ./tcp-prober.ts. Used by agents and by the coordinator.

import type { ProbeResult, ProbeTarget } from '../model/telemetry.ts';

export interface Prober {
  /** Never throws; at most `deadlineMs`. */
  probe(target: ProbeTarget, deadlineMs: number): Promise<ProbeResult>;
}
