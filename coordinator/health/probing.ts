// Carries out probe orders: by our own Prober, or by asking an agent over the bus.
// Input: an order. Output: a result for each target that was asked for, or undefined when the
// vantage point did not answer. Never throws.
//
//   I11. At most `ownProbesMax` probes of our own at once; the others wait.

import type { ProbeResult, ProbeTarget } from '../../common/model/telemetry.ts';
import { MeshError } from '../../common/pure/errors.ts';
import { requestSubject } from '../../common/pure/partition.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Prober } from '../../common/runtime/prober.ts';
import type { TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import { wireCodec, type TelemetryCodec } from './codec.ts';
import { toTargetKey } from './fold-reach.ts';
import type { ProbeOrder } from './plan-baseline.ts';

/** Within the second that DESIGN 8 leaves for probes. */
export const probeDeadlineMs = 900;
/** On top of the probe's own time: the way there and back over the bus. */
const busMarginMs = 200;
export const answerDeadlineMs = probeDeadlineMs + busMarginMs;
const ownProbesMax = 256;

export interface Probing {
  run(order: ProbeOrder): Promise<readonly ProbeResult[] | undefined>;
}

export function createProbing(options: {
  readonly federation: string;
  readonly prober: Prober;
  readonly bus: TelemetryBus;
  readonly codec: TelemetryCodec | undefined;
  readonly metrics: Metrics;
}): Probing {
  const { federation, prober, bus, codec = wireCodec, metrics } = options;
  const waiting: (() => void)[] = [];
  let running = 0;

  const probeOwn = async (target: ProbeTarget): Promise<ProbeResult> => {
    if (running >= ownProbesMax) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      return await prober.probe(target, probeDeadlineMs);
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };

  const ask = async (order: ProbeOrder): Promise<readonly ProbeResult[] | undefined> => {
    const { cluster } = order.vantage;
    if (cluster === undefined) return Promise.all(order.targets.map(probeOwn));
    const request = { targets: order.targets, deadlineMs: probeDeadlineMs };
    const payload = codec.encodeProbeRequest(request);
    const subject = requestSubject(federation, 'probe', cluster);
    return codec.decodeProbeReply(await bus.request(subject, payload, answerDeadlineMs)).results;
  };

  const run = async (order: ProbeOrder): Promise<readonly ProbeResult[] | undefined> => {
    const asked = new Set(order.targets.map(toTargetKey));
    const by = order.vantage.cluster === undefined ? 'coordinator' : 'agent';
    try {
      const results = await ask(order);
      const wanted = results?.filter(({ target }) => asked.has(toTargetKey(target)));
      metrics.count('mesh_health_probes_total', { by }, wanted?.length ?? 0);
      return wanted;
    } catch (error) {
      // A vantage point that does not answer, or answers garbage, has proved nothing.
      const why = error instanceof MeshError ? error.code : 'malformed';
      metrics.count('mesh_health_probe_orders_failed_total', { by, why });
      return undefined;
    }
  };

  return { run };
}
