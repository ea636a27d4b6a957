// The guide, first part: one Service is created once and stands everywhere; DNS follows the Pods.

import { federationContext } from '../clusters.ts';
import { seen, StepFailure, type Step } from './step.ts';
import { publicAddressOf, type ServiceView, type World } from './world.ts';

const manifest = 'examples/services/nginx.yaml';
// What somebody made by hand before the federation came.
const earlier = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'nginx', annotations: { 'team.example.com/owner': 'payments' } },
  spec: { selector: { run: 'something-else' }, ports: [{ name: 'old', port: 8888 }] },
};
const adopter = 'aws-us-east-1a';
const shardsMs = 30_000;
const dnsMs = 20_000;
const wantedTtlSeconds = 60; // the coordinator's default

export const createSteps: readonly Step[] = [
  {
    title: 'the federation has four Ready clusters, each in its place',
    run: async ({ federation, clusters, eventually }) =>
      eventually(shardsMs, async () => {
        const table = await federation('get', 'clusters');
        const missing = clusters.filter(
          ({ name, region }) =>
            !table
              .split('\n')
              .some(
                (row) => row.startsWith(`${name} `) && row.includes(region) && row.includes('True'),
              ),
        );
        return seen(
          missing.length === 0,
          missing.length === 0 ? oneLine(table) : `in the table: ${oneLine(table)}`,
        );
      }),
  },
  {
    title: `a Service nginx of its own stands in ${adopter} already`,
    run: async ({ member, nginxIn, memory }) => {
      const said = await member(adopter, ['create', '-f', '-'], JSON.stringify(earlier));
      const before = await nginxIn(adopter);
      memory.set(adopter, before);
      return `${said.trim()}, uid ${before?.metadata.uid ?? '?'}, port ${portsOf(before)}`;
    },
  },
  {
    title: `kubectl --context=${federationContext} create -f ${manifest}`,
    run: async ({ federation }) => (await federation('create', '-f', manifest)).trim(),
  },
  {
    title: 'the Service appears in each member under the same name and namespace',
    run: async (world) => {
      const found = await Promise.all(
        world.clusters.map(({ name }) =>
          world.eventually(shardsMs, async () => looksLikeShard(name, await world.nginxIn(name))),
        ),
      );
      return found.join('; ');
    },
  },
  {
    title:
      'the one that stood there before is adopted: same object, now as the federation wants it',
    run: async ({ nginxIn, memory }) => {
      const before = memory.get(adopter);
      const now = await nginxIn(adopter);
      const owner = now?.metadata.annotations?.['team.example.com/owner'];
      const saw = `uid ${now?.metadata.uid ?? '?'}, cluster IP ${now?.spec.clusterIP ?? '?'}, ports ${portsOf(now)}, its own annotation ${owner ?? 'gone'}`;
      const isSame =
        now?.metadata.uid === before?.metadata.uid &&
        now?.spec.clusterIP === before?.spec.clusterIP;
      if (!isSame || owner !== 'payments' || portsOf(now) !== '80') throw new StepFailure(saw);
      return saw;
    },
  },
  {
    title: 'describe at the federation lists all load-balancer ingresses',
    run: async ({ federation, addresses, eventually }) => {
      const wanted = [...(await addresses()).values()];
      return eventually(dnsMs, async () => {
        const text = await federation('describe', 'service', 'nginx');
        const line =
          text.split('\n').find((row) => row.startsWith('LoadBalancer Ingress:')) ??
          'no LoadBalancer Ingress line';
        const listed = new Set(line.match(/[0-9]+(\.[0-9]+){3}/g));
        return seen(
          wanted.every((address) => listed.has(address)),
          line.replace(/\s+/g, ' '),
        );
      });
    },
  },
  {
    title: 'no DNS name exists before there are ready endpoints',
    run: async (world) => {
      await world.eventually(shardsMs, async () => {
        const table = await world.federation('get', 'serviceshards', '--no-headers');
        const rows = table.trim().split('\n');
        return seen(rows.length === world.clusters.length, `serviceshards: ${oneLine(table)}`);
      });
      return world.steadily(2_000, () => everyNameIs(world, 'NXDOMAIN'));
    },
  },
  {
    title: 'a Pod in each cluster makes A records at zone, region and global',
    run: async (world) => {
      await Promise.all(world.clusters.map(({ name }) => runPod(world, name)));
      const saw = await world.eventually(dnsMs, () =>
        world.dnsShows(world.clusters.map(({ name }) => name)),
      );
      const ttlSeconds = await world.ttlSeconds();
      if (ttlSeconds !== wantedTtlSeconds)
        throw new StepFailure(`${saw}, TTL ${ttlSeconds ?? '?'}`);
      return `${saw}, TTL ${ttlSeconds}`;
    },
  },
  {
    title: 'each address answers with its own cluster',
    run: async (world) => {
      const answers: string[] = [];
      for (const [cluster, address] of await world.addresses()) {
        const text = await fetchText(`http://${address}:80/`);
        answers.push(`${address}: ${text}`);
        if (!text.includes(cluster)) throw new StepFailure(answers.join('; '));
      }
      return answers.join('; ');
    },
  },
];

function looksLikeShard(
  cluster: string,
  service: ServiceView | undefined,
): ReturnType<typeof seen> {
  const address = publicAddressOf(service);
  const isRight =
    service?.spec.type === 'LoadBalancer' &&
    service.spec.selector?.['run'] === 'nginx' &&
    portsOf(service) === '80' &&
    (service.spec.clusterIP ?? '') !== '' &&
    address !== undefined;
  const saw =
    service === undefined
      ? 'none'
      : `${service.spec.clusterIP ?? '?'} ${address ?? 'no address'} port ${portsOf(service)}`;
  return seen(isRight, `${cluster}: ${saw}`);
}

/** As the guide writes it, for one cluster. */
export async function runPod(world: World, cluster: string): Promise<void> {
  await world.member(cluster, ['run', 'nginx', '--image=nginx', '--port=80']);
  await world.member(cluster, ['wait', '--for=condition=Ready', 'pod/nginx', '--timeout=10s']);
}

export async function everyNameIs(world: World, wanted: string): Promise<ReturnType<typeof seen>> {
  const answers = [...(await world.answers())];
  const others = answers.filter(([, answer]) => answer !== wanted);
  if (others.length > 0)
    return seen(false, others.map(([name, answer]) => `${name} -> ${answer}`).join('; '));
  return seen(true, `all ${answers.length} names -> ${wanted}`);
}

export function portsOf(service: ServiceView | undefined): string {
  return (service?.spec.ports ?? []).map(({ port }) => port).join(',');
}

export function oneLine(table: string): string {
  return table
    .trim()
    .split('\n')
    .map((row) => row.trim().replace(/\s+/g, ' '))
    .join(' | ');
}

const fetchMs = 3_000;

export async function fetchText(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(fetchMs) });
    return (await response.text()).trim();
  } catch (error) {
    const cause =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new StepFailure(`${url}: ${cause}`);
  }
}
