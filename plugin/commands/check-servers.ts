// Asks each server of a zone for the records of a Service, and compares. Input: a DNSZone, records, and
// whom to ask. Output: findings.
//
//   - A bounded number of questions, some at once; each ends by its deadline.

import type { DnsZone } from '../../common/model/dns-zone.ts';
import type { DNSRecordSet } from '../../common/model/isthmus-kinds.ts';
import { judgeDelegation } from '../../common/pure/delegation.ts';
import { nameRcode, type DnsAnswer } from '../../common/pure/dns-question.ts';
import type { HostPort } from '../../common/pure/host-port.ts';
import type { AskDns } from '../../common/runtime/dns-client.ts';
import { lookAtDelegation } from '../../common/runtime/dns-delegation.ts';
import type { Finding } from './check-lines.ts';

export interface Asker {
  readonly ask: AskDns;
  readonly resolver: HostPort;
  /** Asked instead of the servers that the zone names. */
  readonly servers: readonly HostPort[];
}

const recordsMax = 60;
const serversMax = 8;
const questionsAtOnce = 8;
const dnsPort = 53;

export async function checkDelegation(zone: DnsZone, asker: Asker): Promise<Finding> {
  const { name } = zone.metadata;
  const check = `delegation of ${zone.spec.domain}`;
  if (zone.spec.visibility === 'Private') {
    return { status: 'skip', check, message: `DNSZone ${name} is private: nobody delegates it.` };
  }
  const wanted = namedServers(zone);
  const { domain } = zone.spec;
  const looked =
    wanted.length === 0
      ? {
          domain,
          wanted,
          apex: undefined,
          child: [],
          parent: undefined,
          atParent: [],
          silence: undefined,
        }
      : await lookAtDelegation({ ...asker, domain, wanted });
  const { status, reason, message } = judgeDelegation(looked);
  if (status === 'True') return { status: 'ok', check, message };
  return { status: status === 'False' ? 'fail' : 'warn', check: `${check} ${reason}`, message };
}

function namedServers(zone: DnsZone): readonly string[] {
  const names = zone.status?.nameServers ?? zone.spec.embedded?.nameServers ?? [];
  return names.map((name) => name.toLowerCase().replace(/\.$/, '')).sort();
}

interface Server {
  readonly title: string;
  readonly at: HostPort;
}

export async function checkServers(
  zone: DnsZone,
  records: readonly DNSRecordSet[],
  asker: Asker,
): Promise<readonly Finding[]> {
  const { domain } = zone.spec;
  const names = namedServers(zone);
  if (asker.servers.length === 0 && names.length === 0) {
    const message = `Nobody says which servers keep ${domain}: its records were asked of none.`;
    const wayOut = 'Name one with --server HOST:PORT, and all in spec.embedded.nameServers.';
    return [{ status: 'warn', check: `servers of ${domain}`, message, wayOut }];
  }
  if (asker.servers.length === 0 && zone.spec.visibility === 'Private') {
    const message = `The servers of ${domain} answer inside their network: name one with --server.`;
    return [{ status: 'skip', check: `servers of ${domain}`, message }];
  }
  const given = asker.servers.map((at): Server => ({ title: `${at.host}:${at.port}`, at }));
  const found = given.length > 0 ? given : await resolveServers(names.slice(0, serversMax), asker);
  const lost =
    given.length > 0 ? [] : names.filter((name) => found.every((it) => it.title !== name));
  const findings: Finding[] = lost.map((name) => ({
    status: 'fail',
    check: `server ${name}`,
    message: `${name} keeps ${domain} and has no address at the resolver ${asker.resolver.host}.`,
    wayOut: `dig ${name}`,
  }));
  for (const server of found) findings.push(...(await checkServer(server, zone, records, asker)));
  return findings;
}

async function resolveServers(names: readonly string[], { ask, resolver }: Asker) {
  const found: Server[] = [];
  for (const name of names) {
    for (const type of ['A', 'AAAA'] as const) {
      const asked = await ask({ server: resolver, name, type, isRecursive: true });
      const answers = asked.kind === 'answer' ? asked.answer.answers : [];
      const host = answers.find((record) => record.type === type)?.value;
      if (host === undefined) continue;
      found.push({ title: name, at: { host, port: dnsPort } });
      break;
    }
  }
  return found;
}

async function checkServer(
  { title, at }: Server,
  zone: DnsZone,
  records: readonly DNSRecordSet[],
  { ask }: Asker,
): Promise<readonly Finding[]> {
  const check = `server ${title}`;
  const { domain } = zone.spec;
  const soa = { server: at, name: domain, type: 'SOA', isRecursive: false } as const;
  const [first, overTcp] = await Promise.all([ask(soa), ask({ ...soa, isTcpOnly: true })]);
  const wayOut = `dig @${at.host} -p ${at.port} ${domain} SOA`;
  if (first.kind === 'silent') {
    return [{ status: 'fail', check, message: `It does not answer: ${first.message}.`, wayOut }];
  }
  const transport: Finding[] = [];
  if (first.isOverTcp) {
    const message = 'It answers by TCP only: UDP to it is lost on the way.';
    transport.push({ status: 'warn', check, message, wayOut });
  } else if (overTcp.kind === 'silent') {
    const message = `It answers by UDP only, and long answers need TCP: ${overTcp.message}.`;
    transport.push({ status: 'warn', check, message, wayOut: `${wayOut} +tcp` });
  }
  const rcode = nameRcode(first.answer.rcode);
  if (rcode !== 'NOERROR' && rcode !== 'NXDOMAIN') {
    const message = `It does not keep ${domain}: it answers ${rcode}.`;
    return [...transport, { status: 'fail', check, message, wayOut }];
  }
  if (!first.answer.isAuthoritative) {
    const message = `It is no authoritative server of ${domain}: it answers from what it was told.`;
    transport.push({ status: 'warn', check, message, wayOut });
  }
  return [...transport, ...(await compareAll({ title, at }, records, ask))];
}

async function compareAll(
  { title, at }: Server,
  records: readonly DNSRecordSet[],
  ask: AskDns,
): Promise<readonly Finding[]> {
  const some = records.slice(0, recordsMax);
  const wrong: Finding[] = [];
  for (let nth = 0; nth < some.length; nth += questionsAtOnce) {
    const compared = await Promise.all(
      some.slice(nth, nth + questionsAtOnce).map(async (record): Promise<Finding | undefined> => {
        const { dnsName: name, recordType: type } = record.spec;
        const asked = await ask({ server: at, name, type, isRecursive: false });
        const fault =
          asked.kind === 'silent' ? `no answer: ${asked.message}` : findFault(record, asked.answer);
        if (fault === undefined) return undefined;
        return {
          // A change on its way is not everywhere at once.
          status: record.status.state === 'live' ? 'fail' : 'warn',
          check: `server ${title}`,
          message: `${name} ${type}: ${fault}`,
          wayOut: `dig @${at.host} -p ${at.port} ${name} ${type}`,
        };
      }),
    );
    wrong.push(...compared.flatMap((finding) => finding ?? []));
  }
  if (wrong.length > 0) return wrong;
  const of = some.length < records.length ? ` of ${records.length}` : '';
  const message = `It answers ${some.length}${of} record sets as they are wanted.`;
  return [{ status: 'ok', check: `server ${title}`, message }];
}

/** How an answer differs from the record set; undefined: it does not. */
export function findFault({ spec }: DNSRecordSet, answer: DnsAnswer): string | undefined {
  const values = answer.answers
    .filter(({ name, type }) => name === spec.dnsName && type === spec.recordType)
    .map(({ value }) => value)
    .sort();
  if (values.length === 0) {
    const alias = answer.answers.find(
      ({ name, type }) => name === spec.dnsName && type === 'CNAME',
    );
    const instead = alias === undefined ? nameRcode(answer.rcode) : `CNAME ${alias.value}`;
    return `it answers ${instead === 'NOERROR' ? 'nothing' : instead}, not ${list(spec.targets)}`;
  }
  // Addresses of a load balancer are its own; of weighted answers one is given.
  if (spec.alias !== undefined || spec.members?.some(({ alias }) => alias !== undefined))
    return undefined;
  const wanted = new Set(spec.targets.map((target) => target.toLowerCase()));
  const strange = values.filter((value) => !wanted.has(value));
  if (strange.length > 0) return `it answers ${list(values)}, not ${list(spec.targets)}`;
  const isWeighted = spec.members !== undefined || spec.weights !== undefined;
  const missing = spec.targets.filter((target) => !values.includes(target.toLowerCase()));
  return isWeighted || missing.length === 0 ? undefined : `it lacks ${list(missing)}`;
}

function list(values: readonly string[]): string {
  return values.join(', ') || 'nothing';
}
