// explain dns: why a name answers what it answers.

import type { DNSRecordSet } from '../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import { toGlobalName, toRegionName, toZoneName } from '../../common/pure/level-names.ts';
import { toServiceKey } from '../../common/model/ids.ts';
import { exitFailed, exitOk, type Call, type Command } from '../command.ts';
import { isthmus, type Federation } from '../federation.ts';
import { formatObjects, formatValue, listAt } from '../output.ts';
import { clustersPath } from './clusters.ts';
import { readDnsFacts, readRecordsOf, readZones, type DnsFacts } from './dns-facts.ts';
import { chainText } from './explain-dns-text.ts';
import { planChains } from './explain-dns-plan.ts';
import { findWrongPart, parseName, toDnsName, type NameForm } from './locate-name.ts';
import type { Cluster } from '../../common/model/isthmus-kinds.ts';

export const explainDns: Command = {
  words: ['explain', 'dns'],
  summary: 'Says of a DNS name why it answers what it answers.',
  details: [
    'For the name and each one that it leads to: its records, where they are published and since ' +
      'when, which shards are in the answer, and which are left out, by what evidence, since when. ' +
      'A name that is none of the federation is told which of its parts matches nothing.',
    'NAME is a public name of any level, a short name of a ServicePolicy, or what Pods ask ' +
      '(SERVICE.NAMESPACE.FEDERATION).',
  ],
  args: [{ name: 'NAME', completes: 'dnsNames' }],
  flags: [
    {
      name: 'output',
      short: 'o',
      value: 'FORMAT',
      description: 'json: the chain of names; yaml: the objects behind it, as a List.',
      choices: ['json', 'yaml'],
    },
  ],
  examples: [
    {
      says: 'Why does the region lead elsewhere?',
      line: 'kubectl isthmus explain dns nginx.shop.myfederation.svc.europe-west1.example.com',
    },
    { says: 'A short name', line: 'kubectl isthmus explain dns eu.nginx.acme.com' },
  ],
  run: explainName,
};

async function explainName(call: Call): Promise<number> {
  const { args, flags, io, federation } = call;
  const to = federation();
  const name = toDnsName(args[0] ?? '');
  const found = await readRecordsOf(to, name);
  const [record] = found;
  const located =
    record === undefined
      ? await locate(to, name)
      : { facts: await readDnsFacts(to, ownerOf(record)), name, note: '' };
  if (typeof located === 'string') {
    io.say(`error: ${located}`);
    return exitFailed;
  }
  const { facts, note } = located;
  const chains = planChains(located.name, facts);
  const format = flags.text('output');
  if (format === 'json') io.out(formatValue({ name, note, chains }, 'json'));
  else if (format === 'yaml') {
    const { service, zones, shards, records } = facts;
    const objects = [...(service === undefined ? [] : [service]), ...zones, ...shards, ...records];
    io.out(formatObjects(objects, 'yaml'));
  } else io.out(chainText({ name, note, facts, chains }));
  return exitOk;
}

function ownerOf({ metadata, spec }: DNSRecordSet) {
  return { namespace: metadata.namespace ?? '', name: spec.service };
}

interface Located {
  readonly facts: DnsFacts;
  /** The name whose records answer. */
  readonly name: string;
  /** What there is to say before. */
  readonly note: string;
}

/** Of a name without records: where it leads all the same, or what is wrong with it. */
async function locate(to: Federation, name: string): Promise<Located | string> {
  const form = parseName(name, await readZones(to));
  if (form.kind === 'wrong') return form.why;
  const { service, namespace } = form;
  const space = encodeURIComponent(namespace);
  const [federation, spaceObject] = await Promise.all([
    readFederationName(to),
    to.get(`/api/v1/namespaces/${space}`),
  ]);
  const of = { namespace, name: service };
  const facts = spaceObject === undefined ? noFacts(of) : await readDnsFacts(to, of);
  const hasService = facts.service !== undefined;
  const elsewhere = hasService ? [] : await readElsewhere(to, service);
  const clusters = (await to.list(clustersPath)) as readonly Cluster[]; // the kind that was asked for
  const hasNamespace = spaceObject !== undefined;
  const world = { federation, hasNamespace, hasService, elsewhere, clusters };
  const wrong = findWrongPart(form, world);
  if (wrong !== undefined) return `"${name}" has no answer: ${wrong}`;
  if (facts.records.length === 0) {
    const hint = `see: kubectl isthmus check dns ${service} -n ${namespace}`;
    return `"${name}" has no answer: Service ${namespace}/${service} has no names yet; ${hint}`;
  }
  return climb(name, form, facts);
}

function noFacts(of: { readonly namespace: string; readonly name: string }): DnsFacts {
  return { ...of, service: undefined, clusters: [], shards: [], records: [], zones: [] };
}

/** The nearest level above that has records. */
function climb(
  name: string,
  form: Exclude<NameForm, { readonly kind: 'wrong' }>,
  facts: DnsFacts,
): Located | string {
  const key = toServiceKey({ namespace: form.namespace, name: form.service });
  if (form.kind === 'short') {
    const global = facts.records.find(({ spec }) => spec.level === 'global');
    const note =
      `Pods ask ${name}: the agent of each cluster answers with its own shard while that is ` +
      "healthy, else with the name of the cluster's zone, which leads to its region, and that to " +
      'the global name below.';
    return { facts, name: global?.spec.dnsName ?? name, note };
  }
  const { region, zone, domain, federation } = form;
  const scope = { federation, domain };
  const above = [
    ...(zone === undefined || region === undefined ? [] : [toRegionName(key, region, scope)]),
    toGlobalName(key, scope),
  ];
  const next = above.find((each) => facts.records.some(({ spec }) => spec.dnsName === each));
  const own =
    zone === undefined || region === undefined ? name : toZoneName(key, { zone, region }, scope);
  if (next === undefined) return `"${name}" has no answer, and no name above it has one`;
  const embedded = facts.zones.some(
    ({ spec }) => spec.domain === domain && spec.provider === 'Embedded',
  );
  const note = embedded
    ? `No shard of the Service is there: the embedded zone answers ${own} with a CNAME to ${next}.`
    : `No shard of the Service is there, and ${own} is not published: the name budget of the ` +
      `DNSZone is used up, or the cluster has just come. The name above it is ${next}.`;
  return { facts, name: next, note };
}

/** From any of its names: the API does not tell it. */
async function readFederationName(to: Federation): Promise<string | undefined> {
  const list = await to.get(`${isthmus}/dnsrecordsets?limit=50`);
  for (const item of listAt(list, 'items')) {
    const { spec } = item as DNSRecordSet; // of such a list
    const labels = spec.dnsName.split('.');
    if (spec.level !== 'alias' && labels[3] === 'svc') return labels[2];
  }
  return undefined;
}

async function readElsewhere(to: Federation, name: string): Promise<readonly string[]> {
  const selector = `?fieldSelector=${encodeURIComponent(`metadata.name=${name}`)}`;
  const found: readonly KubeObject[] = await to.list(`/api/v1/services${selector}`);
  return found.map(({ metadata }) => metadata.namespace ?? '').sort();
}
