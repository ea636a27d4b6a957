// Writes one publication, or why it was not written, and tells people of what changed.

import {
  splitServiceKey,
  toRevision,
  type LogKey,
  type ServiceKey,
} from '../../../common/model/ids.ts';
import type { Publication } from '../../../common/model/publication.ts';
import { readPublication, toPublicationObject } from '../../../common/pure/publication-object.ts';
import type { StoredObject } from '../../desired/store.ts';
import type { Finding } from './audit.ts';
import type { DnsOptions } from './options.ts';
import { transitionsBetween, type Transition } from './transitions.ts';

// Another writer's record stood in our way: read again, then plan again.
const conflictWaitMs = 50;

export type Again = { readonly againAfterMs: number } | undefined;

/** What a change is of. */
export interface WriteTarget {
  readonly key: ServiceKey;
  readonly dnsZone: string;
  readonly at: LogKey;
  readonly stored: StoredObject | undefined;
  readonly service: StoredObject | undefined;
}

export async function write(
  options: DnsOptions,
  target: WriteTarget,
  next: Publication | undefined,
): Promise<Again> {
  const { desired, term, log, metrics } = options;
  const { key, dnsZone, at, stored } = target;
  const outcome = await desired.write({
    key: at,
    object: next === undefined ? undefined : toPublicationObject(next),
    expected: stored?.revision ?? toRevision(0),
    guard: term.guard(),
  });
  if (outcome.kind === 'fenced') {
    // Another replica holds the lease (I12): its own loop does this work.
    log.warn('publication not written: the lease is lost', { service: key, dnsZone });
    return undefined;
  }
  if (outcome.kind === 'conflict') return { againAfterMs: conflictWaitMs };
  metrics.count('mesh_dns_publications_written_total', {
    change: next === undefined ? 'deleted' : 'put',
  });
  const before = readPublication(stored?.object);
  report(options, target, transitionsBetween(before, next));
  return undefined;
}

function report(
  { recorder, log }: DnsOptions,
  { key, dnsZone, service }: WriteTarget,
  transitions: readonly Transition[],
): void {
  for (const { type, reason, message } of transitions) {
    log.info('DNS changed', { service: key, dnsZone, reason, detail: message });
    const regarding =
      service === undefined
        ? { apiVersion: 'v1', kind: 'Service', ...splitServiceKey(key) }
        : toRegarding(service);
    recorder.record({ regarding, type, reason, message });
  }
}

/** One Event per new finding, not one per run. */
export function complain(
  { recorder, log, metrics }: DnsOptions,
  complaints: Map<LogKey, string>,
  at: WriteTarget & { readonly service: StoredObject; readonly findings: readonly Finding[] },
): void {
  const text = at.findings.map(({ invariant, message }) => `${invariant}: ${message}`).join('; ');
  if (complaints.get(at.at) === text) return;
  complaints.set(at.at, text);
  metrics.count('mesh_dns_audit_findings_total', {}, at.findings.length);
  const { key, dnsZone } = at;
  log.error('publication refused by its audit', { service: key, dnsZone, findings: text });
  recorder.record({
    regarding: toRegarding(at.service),
    type: 'Warning',
    reason: 'DNSAuditFailed',
    message: `The names were left as they were: ${text.slice(0, 800)}`,
  });
}

function toRegarding({ object: { metadata } }: StoredObject) {
  const { namespace, name, uid } = metadata;
  return { apiVersion: 'v1', kind: 'Service', namespace, name, uid };
}
