// What a Service is given when it is written: families, addresses, node ports, the port of the
// health check. Input: the defaulted Service, the one before it, the pools. Output: the Service
// with all of it, held until the write has ended.
//
//   L1. What a Service has it keeps, also when a client writes it back without.
//   L2. A refused write holds nothing.

import type { JsonObject, KubeObject } from '../../../../common/model/kube-object.ts';
import type { Claim, ServicePools } from '../../allocation/service-pools.ts';
import { unallocated, type Allocated } from '../../machinery/allocated.ts';
import { internal, invalid, plainError } from '../../machinery/answer/status-error.ts';
import type { FieldError, WriteContext } from '../../machinery/kind.ts';
import { invalidValue } from '../../machinery/rules/field-errors.ts';
import type { IpFamily } from '../../machinery/rules/ip-rules.ts';
import {
  own,
  ownRecord,
  ownText,
  toJsonObject,
  toKubeObject,
} from '../../machinery/schema/json-value.ts';
import { initFamilies } from './service-families.ts';
import { keepAllocated, pluralize } from './service-prepare.ts';
import {
  clusterIpsOf,
  familiesOf,
  getsNodePorts,
  isOfNodePortType,
  needsHealthCheck,
  nodePortsOf,
  numberOf,
  portsOf,
  typeOf,
} from './service-spec.ts';

/** Without pools only the families are filled in. Throws 422 for what cannot be had, 500 when a range is full. */
export function allocateService(
  next: KubeObject,
  old: KubeObject | undefined,
  { pools, context }: { readonly pools: ServicePools | undefined; readonly context: WriteContext },
): Allocated {
  const before = old === undefined ? undefined : ownRecord(toJsonObject(old), 'spec');
  const given = toJsonObject(next);
  const kept =
    before === undefined
      ? pluralize(ownRecord(given, 'spec'))
      : keepAllocated(ownRecord(given, 'spec'), before);
  const families = initFamilies(kept, before, pools?.families ?? ['IPv4']);
  const name = next.metadata.name;
  refuse(name, families.errors);
  if (pools === undefined) return unallocated(toKubeObject({ ...given, spec: families.spec }));
  const claim = pools.claim({ isDryRun: context.isDryRun });
  try {
    let spec = withAddresses(families.spec, { before, pools, claim, name });
    spec = withNodePorts(spec, { before, claim, name });
    spec = withHealthCheckPort(spec, before, claim);
    return {
      object: toKubeObject({ ...given, spec }),
      settle: (isKnown) => claim.settle(isKnown),
      fence: claim.fence(),
    };
  } catch (error) {
    claim.settle(true); // L2
    throw error;
  }
}

function refuse(name: string, errors: readonly FieldError[]): void {
  if (errors.length > 0) throw invalid({ group: '', kind: 'Service', name, errors });
}

interface Sources {
  readonly before: JsonObject | undefined;
  readonly claim: Claim;
  readonly name: string;
}

function withAddresses(
  spec: JsonObject,
  sources: Sources & { readonly pools: ServicePools },
): JsonObject {
  const { before, pools } = sources;
  const ips = clusterIpsOf(spec);
  if (!pools.hasAddresses || typeOf(spec) === 'ExternalName' || ips[0] === 'None') return spec;
  const families = familiesOf(spec);
  const had = before === undefined || typeOf(before) === 'ExternalName' ? [] : clusterIpsOf(before);
  if (had[0] === 'None') return spec;
  // An address that it had stays; a changed one is for validation to refuse.
  const from = had.length === 0 ? 0 : had.length === 1 && families.length === 2 ? 1 : undefined;
  if (from === undefined) return spec;
  const wanted = families.map((_, index) => ips[index] ?? '');
  const given = wanted.map((ip, index) =>
    index < from ? ip : takeAddress({ family: families[index] ?? '', asked: ip }, wanted, sources),
  );
  const [first = ''] = given;
  const clusterIP = from === 0 ? first : (own(spec, 'clusterIP') ?? first);
  return { ...spec, clusterIP, clusterIPs: given };
}

function takeAddress(
  { family, asked }: { readonly family: string; readonly asked: string },
  wanted: readonly string[],
  { claim, name }: Sources,
): string {
  const got = claim.takeAddress(family as IpFamily, asked); // initFamilies refused all others
  if (typeof got === 'string') return got;
  if (asked === '') throw internal(`failed to allocate a serviceIP: ${got.why}`);
  const detail = `failed to allocate IP ${asked}: ${got.why}`;
  refuse(name, [invalidValue('spec.clusterIPs', wanted, detail)]);
  return asked;
}

function withNodePorts(spec: JsonObject, sources: Sources): JsonObject {
  if (!isOfNodePortType(spec) || portsOf(spec).length === 0) return spec;
  const ports =
    sources.before === undefined
      ? newNodePorts(spec, sources)
      : nextNodePorts(spec, nodePortsOf(sources.before), sources);
  return { ...spec, ports };
}

/** Two ports of one number, such as 53/TCP and 53/UDP, share a node port. */
function newNodePorts(spec: JsonObject, { claim, name }: Sources): readonly JsonObject[] {
  const ports = portsOf(spec);
  const chosen = new Map<number, number>();
  return ports.map((port, index) => {
    const asked = numberOf(port, 'nodePort');
    if (asked === 0 && !getsNodePorts(spec)) return port;
    const number = numberOf(port, 'port');
    const shared = chosen.get(number);
    if (shared !== undefined && (asked === 0 || asked === shared)) {
      return { ...port, nodePort: shared };
    }
    const wanted =
      shared === undefined
        ? (ports.map((each) => wantedFor(each, number)).find((each) => each !== 0) ?? 0)
        : asked;
    const got = takePort(claim, { wanted, index, name });
    if (shared !== undefined) return port;
    chosen.set(number, got);
    return { ...port, nodePort: got };
  });
}

function wantedFor(port: JsonObject, number: number): number {
  return numberOf(port, 'port') === number ? numberOf(port, 'nodePort') : 0;
}

function nextNodePorts(
  spec: JsonObject,
  before: readonly number[],
  { claim, name }: Sources,
): readonly JsonObject[] {
  const taken = new Set<number>(before);
  const seen = new Set<string>();
  return portsOf(spec).map((port, index) => {
    const wanted = numberOf(port, 'nodePort');
    if (wanted === 0 && !getsNodePorts(spec)) return port;
    const nodePort = taken.has(wanted) ? wanted : takePort(claim, { wanted, index, name });
    if (wanted !== 0) taken.add(wanted);
    const printed = `{${ownText(port, 'protocol')} ${nodePort}}`;
    // On updates Kubernetes has no better words for it, and no field.
    if (seen.has(printed)) throw plainError(`duplicate nodePort: ${printed}`);
    seen.add(printed);
    return wanted === nodePort ? port : { ...port, nodePort };
  });
}

function takePort(
  claim: Claim,
  at: { readonly wanted: number; readonly index: number; readonly name: string },
): number {
  const got = claim.takePort(at.wanted);
  if (typeof got === 'number') return got;
  if (at.wanted === 0) throw internal(`failed to allocate a nodePort: ${got.why}`);
  refuse(at.name, [invalidValue(`spec.ports[${at.index}].nodePort`, at.wanted, got.why)]);
  return at.wanted;
}

/** Given when it becomes one that is asked; given back by the log when it no longer is. */
function withHealthCheckPort(
  spec: JsonObject,
  before: JsonObject | undefined,
  claim: Claim,
): JsonObject {
  const had = before !== undefined && needsHealthCheck(before);
  if (had || !needsHealthCheck(spec)) return spec;
  const wanted = numberOf(spec, 'healthCheckNodePort');
  const got = claim.takePort(wanted);
  if (typeof got === 'number') return { ...spec, healthCheckNodePort: got };
  const what =
    wanted === 0
      ? `failed to allocate a HealthCheck NodePort 0: ${got.why}`
      : `failed to allocate requested HealthCheck NodePort ${wanted}: ${got.why}`;
  throw internal(what);
}
