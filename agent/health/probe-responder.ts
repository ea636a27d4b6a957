// Lends the cluster's eyes to the coordinator: probes what it asks for and the rules allow, some
// at a time, and answers with one result per target.

import type { ClusterName } from '../../common/model/ids.ts';
import type { ProbeResult } from '../../common/model/telemetry.ts';
import { requestSubject } from '../../common/pure/partition.ts';
import type { Clock } from '../../common/runtime/clock.ts';
import type { Metrics } from '../../common/runtime/metrics.ts';
import type { Prober } from '../../common/runtime/prober.ts';
import type { TelemetryBus } from '../../common/runtime/telemetry-bus.ts';
import type { TelemetryCodec } from './codec.ts';
import { planProbes, type ProbePlan, type ProbeRules } from './plan-probe.ts';
import type { ReachedTargets } from './reached.ts';

const concurrencyMax = 16;
// Several coordinators may ask at once; more than this together is refused as Busy.
const requestsMax = 8;

export function serveProbes(
  ports: {
    readonly bus: TelemetryBus;
    readonly codec: TelemetryCodec;
    readonly prober: Prober;
    /** Round trips, for whoever ranks by them. */
    readonly onResult: (result: ProbeResult) => void;
    readonly rules: () => ProbeRules;
    readonly reached: ReachedTargets;
    readonly clock: Clock;
    readonly metrics: Metrics;
  },
  names: { readonly federation: string; readonly cluster: ClusterName },
): { stop(): void } {
  const { bus, codec, prober, reached, clock, metrics } = ports;
  let requests = 0;
  const server = bus.serve(
    requestSubject(names.federation, 'probe', names.cluster),
    async (message) => {
      const plan = planProbes(codec.decodeProbeRequest(message.payload), ports.rules());
      if (requests >= requestsMax)
        return codec.encodeProbeReply({ results: plan.steps.map(toBusy) });
      requests += 1;
      try {
        const probed = await takeSteps(plan, prober);
        const results = probed.map((result) => reached.note(result, clock.monotonicMs()));
        metrics.count('mesh_health_probes_total', {}, results.length);
        for (const result of results) ports.onResult(result);
        return codec.encodeProbeReply({ results });
      } finally {
        requests -= 1;
      }
    },
  );
  return { stop: () => server.cancel() };
}

async function takeSteps(
  { steps, deadlineMs }: ProbePlan,
  prober: Prober,
): Promise<readonly ProbeResult[]> {
  const results: ProbeResult[] = []; // filled by index, all of it
  const queue = steps.entries(); // shared by the workers: each takes the next
  const work = async (): Promise<void> => {
    for (const [index, step] of queue) {
      results[index] =
        step.kind === 'probe' ? await prober.probe(step.target, deadlineMs) : step.result;
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrencyMax, steps.length) }, work));
  return results;
}

function toBusy(step: ProbePlan['steps'][number]): ProbeResult {
  if (step.kind === 'refused') return step.result;
  return { target: step.target, ok: false, roundTripMs: 0, reason: 'NotAllowed' };
}
