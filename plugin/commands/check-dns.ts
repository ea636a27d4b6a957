// check dns: looks at all that has to be right for a Service's names to resolve, and says of each what
// is and the way out.

import { getServers } from 'node:dns';
import { isIPv6 } from 'node:net';
import { MeshError } from '../../common/pure/errors.ts';
import { parseHostPort, type HostPort } from '../../common/pure/host-port.ts';
import { systemChance as chance } from '../../common/runtime/chance.ts';
import { systemClock as clock } from '../../common/runtime/clock.ts';
import { createDnsClient } from '../../common/runtime/dns-client.ts';
import { exitFailed, exitOk, UsageError, type Call, type Command } from '../command.ts';
import { formatValue } from '../output.ts';
import { checkAgents } from './check-agents.ts';
import { checkObjects, zonesOf, type Finding } from './check-lines.ts';
import { checkDelegation, checkServers, type Asker } from './check-servers.ts';
import { readDnsFacts, requireZone, type DnsFacts } from './dns-facts.ts';
import { namespaceFlag } from './unclaimed.ts';

const dnsPort = 53;

export const checkDns: Command = {
  words: ['check', 'dns'],
  summary: "Checks all that has to be right for a Service's names to resolve.",
  details: [
    'In this order: the federation answers; the Service has a type that gets names; clusters are ' +
      'Ready; shards are applied and healthy; the provider of each DNSZone is reachable, lets us in ' +
      'and has the zone; records are written; the zone above leads to its servers; each of its ' +
      'servers answers every record as it is wanted, by UDP and TCP; and the agent of each cluster, ' +
      'asked by the coordinator, answers its Pods with a healthy shard.',
    'Exit code 0: nothing fails. 1: something does, and its line has the way out. Servers are asked ' +
      'from this machine, so that a firewall here counts too.',
  ],
  args: [{ name: 'SERVICE', completes: 'services' }],
  flags: [
    namespaceFlag,
    {
      name: 'zone',
      value: 'DNSZONE',
      description: 'Only this DNSZone. Default: every one that has names of the Service.',
      completes: 'dnszones',
    },
    {
      name: 'server',
      value: 'HOST:PORT',
      description: 'Asks these servers (divided by commas) instead of those that the zone names.',
    },
    {
      name: 'resolver',
      value: 'HOST:PORT',
      description: "Resolver that the delegation is looked up with. Default: this machine's.",
    },
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      description: 'json or yaml instead of lines.',
      choices: ['json', 'yaml'],
    },
  ],
  examples: [
    { says: 'Why does it not resolve?', line: 'kubectl isthmus check dns nginx -n shop' },
    {
      says: 'The embedded zone, by its own address',
      line: 'kubectl isthmus check dns nginx --server 192.0.2.10:53',
    },
    {
      says: 'In a monitor',
      line: 'kubectl isthmus check dns nginx -o json | jq \'.checks[] | select(.status=="fail")\'',
    },
  ],
  run: async (call) => {
    const { args, flags, io, federation } = call;
    const to = federation();
    const name = (args[0] ?? '').replace(/^(service|svc)\//, '');
    const namespace = flags.text('namespace') ?? to.namespace;
    const asker = readAsker(call);
    const checks = await findAll(call, { namespace, name }, asker);
    const isFailed = checks.some(({ status }) => status === 'fail');
    const format = flags.text('output');
    if (format === 'json' || format === 'yaml') {
      const result = isFailed ? 'fail' : 'ok';
      io.out(formatValue({ service: `${namespace}/${name}`, result, checks }, format));
    } else io.out(toText(checks));
    return isFailed ? exitFailed : exitOk;
  },
};

async function findAll(
  { federation, flags }: Call,
  of: { readonly namespace: string; readonly name: string },
  asker: Asker,
): Promise<readonly Finding[]> {
  const to = federation();
  const all = await readDnsFacts(to, of).catch((error: unknown) => {
    if (error instanceof MeshError) return toUnreached(error);
    throw error;
  });
  if ('check' in all) return [all];
  const only = flags.text('zone');
  if (only !== undefined) await requireZone(to, only);
  const facts = only === undefined ? all : ofZone(all, only);
  const where = `${to.server} (context ${to.contextName})`;
  const reached: Finding = { status: 'ok', check: 'federation', message: `${where} answers.` };
  if (facts.service === undefined) {
    const check = `service ${of.namespace}/${of.name}`;
    const wayOut = 'kubectl get services -A; name the namespace with -n';
    return [reached, { status: 'fail', check, message: 'There is no such Service.', wayOut }];
  }
  const findings = [reached, ...checkObjects(facts, facts.service)];
  for (const zone of zonesOf(facts)) {
    findings.push(await checkDelegation(zone, asker));
    const records = facts.records.filter(({ spec }) => spec.dnsZone === zone.metadata.name);
    if (records.length > 0) findings.push(...(await checkServers(zone, records, asker)));
  }
  return [...findings, ...(await checkAgents(to, facts))];
}

/** Of a monitor's -o json, too: what could not be asked is a finding. */
function toUnreached({ message }: MeshError): Finding {
  const wayOut = 'kubectl config get-contexts; the coordinator runs and is reached from here?';
  return { status: 'fail', check: 'federation', message, wayOut };
}

function ofZone(facts: DnsFacts, name: string): DnsFacts {
  return {
    ...facts,
    zones: facts.zones.filter(({ metadata }) => metadata.name === name),
    records: facts.records.filter(({ spec }) => spec.dnsZone === name),
  };
}

function readAsker({ flags }: Call): Asker {
  const read = (flag: string, text: string): HostPort => {
    const place =
      parseHostPort(text) ?? parseHostPort(`${isIPv6(text) ? `[${text}]` : text}:${dnsPort}`);
    if (place !== undefined) return place;
    throw new UsageError(`--${flag}: "${text}" is no HOST:PORT, such as 192.0.2.53:53`);
  };
  const [system = '127.0.0.1'] = getServers();
  const servers = flags.text('server')?.split(',') ?? [];
  return {
    ask: createDnsClient({ clock, chance }),
    resolver: read('resolver', flags.text('resolver') ?? system),
    servers: servers.map((text) => read('server', text.trim())),
  };
}

function toText(checks: readonly Finding[]): string {
  const lines = checks.flatMap(({ status, check, message, wayOut }) => [
    `${status.padEnd(4)}   ${check}: ${message}`,
    ...(wayOut === undefined ? [] : [`       -> ${wayOut}`]),
  ]);
  const count = (status: Finding['status']): number =>
    checks.filter((finding) => finding.status === status).length;
  const [fails, warns] = [count('fail'), count('warn')];
  const sum = `${count('ok')} ok, ${warns} to look at, ${fails} failed`;
  return `${lines.join('\n')}\n\n${sum}\n`;
}
