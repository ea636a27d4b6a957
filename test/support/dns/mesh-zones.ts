// DNSZones of a real mesh at real servers, and what kubectl says of them and of the names there.

import { systemClock as clock } from '../../../common/runtime/clock.ts';
import { askDns } from '../../../demo/guide/dns-udp.ts';
import { toAnswer } from '../../../demo/guide/expected-dns.ts';
import { eventually } from '../eventually.ts';
import { namesOfNginx } from '../nginx-views.ts';
import type { RealMesh } from '../real-mesh.ts';
import { secretText, type DnsServer } from './dns-server.ts';

export const federated = 'federation-cluster';

export async function apply(mesh: RealMesh, ...items: readonly object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  await mesh.kubectl(federated, ['apply', '-f', '-'], list);
}

export function secret(name: string, stringData: object): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' }, stringData };
}

export function dnsZone(name: string, spec: object): object {
  return { apiVersion: 'isthmus.dev/v1alpha1', kind: 'DNSZone', metadata: { name }, spec };
}

/** A Secret with our key of this server, and a DNSZone of the same name that uses it. */
export function zoneAt(
  server: DnsServer,
  {
    name,
    ...spec
  }: { readonly name: string; readonly domain: string; readonly [field: string]: unknown },
): readonly object[] {
  return [
    secret(name, { 'tsig-secret': secretText(server.ours) }),
    dnsZone(name, {
      provider: 'RFC2136',
      rfc2136: { server: `127.0.0.1:${server.port}`, tsigKeyName: server.ours.name },
      secretRef: { namespace: 'default', name },
      ...spec,
    }),
  ];
}

const conditions =
  '{range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\\n"}{end}';

/** `TYPE=STATUS REASON: MESSAGE`, a line each. `of` as kubectl has it: `dnszone/public`. */
export function conditionsOf(mesh: RealMesh, of: string): Promise<string> {
  return mesh.kubectl(federated, ['get', of, `-ojsonpath=${conditions}`]);
}

/** Until what `read` says matches each of these. */
export async function untilSaid(
  read: () => Promise<string>,
  wanted: readonly RegExp[],
  withinMs = 30_000,
): Promise<void> {
  await eventually(
    withinMs,
    async () => {
      const said = await read();
      const missing = wanted.filter((each) => !each.test(said));
      return missing.length === 0 ? [] : [`${missing.map(String).join(', ')} is not in: ${said}`];
    },
    200,
  );
}

/** What nginx's names are answered below a domain at a port, the domain taken out. */
export async function answersAt(
  mesh: RealMesh,
  at: { readonly port: number; readonly domain: string },
): Promise<readonly string[]> {
  return Promise.all(
    namesOfNginx(mesh.clusters).map(async (name) => {
      const there = name.replace(/example\.com$/, at.domain);
      const answer = toAnswer(await askDns(`127.0.0.1:${at.port}`, there, clock));
      return `${name}: ${answer.replaceAll(at.domain, 'example.com')}`;
    }),
  );
}

/** Until a server says of each name of nginx what the coordinator's own zone says. */
export async function follows(
  mesh: RealMesh,
  at: { readonly port: number; readonly domain: string },
  withinMs = 40_000,
): Promise<void> {
  const port = Number(mesh.at('dns').split(':')[1]);
  await eventually(
    withinMs,
    async () => {
      const [own, there] = [
        await answersAt(mesh, { port, domain: 'example.com' }),
        await answersAt(mesh, at),
      ];
      return there.flatMap((line, index) =>
        line === own[index] ? [] : [`${line}, not ${own[index] ?? ''}`],
      );
    },
    200,
  );
}
