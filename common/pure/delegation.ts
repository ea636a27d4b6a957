// Whether the world is led to the servers that keep a zone. Input: what the parent's servers and a
// resolver say of it, and the servers that its provider names. Output: a verdict with the way out,
// as a condition says it. Pure.
//
//   D1. What could not be asked is Unknown, not False: silence is no finding.

export interface DelegationFacts {
  readonly domain: string;
  /** Servers that keep the zone, as the provider or the DNSZone names them; sorted. */
  readonly wanted: readonly string[];
  /** Deepest zone on the way to the domain that a resolver knows; undefined: none was found. */
  readonly apex: string | undefined;
  /** NS records of the apex, as a resolver gives them. */
  readonly child: readonly string[];
  /** The zone above the apex, and the NS records for the apex at one of its servers. */
  readonly parent: string | undefined;
  readonly atParent: readonly string[];
  /** Why something of it could not be asked. */
  readonly silence: string | undefined;
}

export interface DelegationVerdict {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

export function judgeDelegation(facts: DelegationFacts): DelegationVerdict {
  const { domain, wanted, apex, silence } = facts;
  if (wanted.length === 0) {
    const message =
      `Nobody says which servers keep ${domain}, so its delegation cannot be looked at. Name them ` +
      'in spec.embedded.nameServers.';
    return { status: 'Unknown', reason: 'NoNameServers', message };
  }
  if (apex === undefined) {
    const said = silence ?? 'the resolver knows no zone on the way to it';
    const message = `The delegation of ${domain} could not be looked at: ${said}.`;
    return { status: 'Unknown', reason: 'NotAnswering', message };
  }
  return judgeServers(facts, apex);
}

function judgeServers(facts: DelegationFacts, apex: string): DelegationVerdict {
  const { domain, wanted, child, atParent, parent, silence } = facts;
  const seen = atParent.length > 0 ? atParent : child;
  const missing = without(wanted, seen);
  const strange = without(seen, wanted);
  if (missing.length === 0 && strange.length === 0) {
    const where = atParent.length === 0 ? '' : ` by ${parent ?? 'the zone above'}`;
    const doubt = atParent.length === 0 ? ' (by the resolver: the zone above was not asked)' : '';
    const message = `${apex} is delegated${where} to ${wanted.join(', ')}${doubt}.`;
    return { status: 'True', reason: 'Delegated', message };
  }
  if (missing.length < wanted.length) {
    const parts = [
      ...(missing.length === 0 ? [] : [`${missing.join(', ')} not named there`]),
      ...(strange.length === 0 ? [] : [`${strange.join(', ')} named there, but not keeping it`]),
    ];
    const message =
      `The delegation of ${apex} differs from the servers that keep the zone: ` +
      `${parts.join('; ')}. Give ${ownerOf(parent, apex)} these NS records: ${wanted.join(', ')}.`;
    return { status: 'False', reason: 'ServersDiffer', message };
  }
  if (atParent.length === 0 && silence !== undefined) {
    const message = `The delegation of ${apex} could not be looked at: ${silence}.`;
    return { status: 'Unknown', reason: 'NotAnswering', message };
  }
  const isAbove = apex !== domain;
  const message = isAbove
    ? `No NS records lead to the zone of ${domain}: the deepest zone on the way is ${apex}, kept by ` +
      `${seen.join(', ')}, so its names are not asked of ${wanted.join(', ')}. Put NS records for the ` +
      `zone into ${apex}: ${wanted.join(', ')}.`
    : `${apex} is delegated to ${seen.join(', ')}, and not to the servers that keep the zone. Give ` +
      `${ownerOf(parent, apex)} these NS records: ${wanted.join(', ')}.`;
  return { status: 'False', reason: isAbove ? 'NotDelegated' : 'OtherServers', message };
}

/** Who has to change it: of a domain below a top-level one, the registrar. */
function ownerOf(parent: string | undefined, apex: string): string {
  if (parent === undefined) return `whoever keeps the zone above ${apex}`;
  return parent.includes('.') ? `the zone ${parent}` : `the registrar of ${apex}`;
}

function without(list: readonly string[], other: readonly string[]): readonly string[] {
  const names = new Set(other);
  return list.filter((name) => !names.has(name));
}
