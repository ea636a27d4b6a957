// Which of the coordinator's probes are made, and which are refused. The coordinator asks; the
// cluster that lends its eyes decides what they may look at (DESIGN: security).

import ipaddr from 'ipaddr.js';
import type { ProbeRequest, ProbeResult, ProbeTarget } from '../../common/model/telemetry.ts';

export interface ProbeRules {
  readonly allowLoopback: boolean;
  /** CIDRs of the cluster's own Pods. */
  readonly ownRanges: readonly string[];
  /** Cluster IPs of the cluster's own Services. */
  readonly isOwnAddress: (address: string) => boolean;
}

export const probeTargetsMax = 64;
export const probeDeadlineMsMax = 5_000;
const probeDeadlineMsMin = 100;

export interface ProbePlan {
  readonly deadlineMs: number;
  readonly steps: readonly (
    | { readonly kind: 'probe'; readonly target: ProbeTarget }
    | { readonly kind: 'refused'; readonly result: ProbeResult }
  )[];
}

/** One step per target, in order; targets beyond the bound are left out. */
export function planProbes(request: ProbeRequest, rules: ProbeRules): ProbePlan {
  return {
    deadlineMs: Math.min(probeDeadlineMsMax, Math.max(probeDeadlineMsMin, request.deadlineMs)),
    steps: request.targets.slice(0, probeTargetsMax).map((target) =>
      isProbeable(target, rules)
        ? { kind: 'probe', target }
        : {
            kind: 'refused',
            result: { target, ok: false, roundTripMs: 0, reason: 'NotAllowed' },
          },
    ),
  };
}

// Metadata services outside link-local: AWS over IPv6, Alibaba Cloud, Oracle's older one.
const metadataAddresses = new Set(['fd00:ec2::254', '100.100.100.200', '192.0.0.192']);
const probeableRanges = new Set(['unicast', 'private', 'uniqueLocal', 'carrierGradeNat']);

function isProbeable({ address, port }: ProbeTarget, rules: ProbeRules): boolean {
  if (!Number.isInteger(port) || port < 1 || port > 65_535 || !ipaddr.isValid(address))
    return false;
  const parsed = ipaddr.process(address); // IPv4 in IPv6 becomes the IPv4 address that it reaches
  const text = parsed.toString();
  if (metadataAddresses.has(text) || rules.isOwnAddress(text)) return false;
  const range = parsed.range();
  if (range === 'loopback') return rules.allowLoopback;
  return probeableRanges.has(range) && !rules.ownRanges.some((cidr) => isWithin(parsed, cidr));
}

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, cidr: string): boolean {
  try {
    const [network, bits] = ipaddr.parseCIDR(cidr);
    return network.kind() === address.kind() && address.match(network, bits);
  } catch {
    return false; // a Node's podCIDR that is none
  }
}
