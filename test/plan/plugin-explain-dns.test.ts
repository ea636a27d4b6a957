// explain dns of names that have no record of their own.

import test from 'ava';
import type { DnsZoneSpec } from '../../common/model/dns-zone.ts';
import type { KubeObject } from '../../common/model/kube-object.ts';
import type { Call } from '../../plugin/command.ts';
import { explainDns } from '../../plugin/commands/explain-dns.ts';
import { cluster, global, record, service, shard, zone } from '../support/dns/plugin-facts.ts';

interface World {
  readonly provider?: DnsZoneSpec['provider'];
  readonly records?: readonly KubeObject[];
  readonly hasService?: boolean;
}

const records = [record(global, { targets: ['192.0.2.2'] })];

async function explain(name: string, world: World = {}): Promise<string> {
  const { provider = 'Embedded', hasService = true } = world;
  const has = world.records ?? records;
  const federation = {
    get: (path: string) => {
      if (path.includes('dnsrecordsets?limit')) return Promise.resolve({ items: records });
      if (path.endsWith('/services/web')) return Promise.resolve(hasService ? service : undefined);
      return Promise.resolve(path.endsWith('/namespaces/shop') ? service : undefined);
    },
    list: (path: string) => {
      if (path.includes('dnsName')) {
        const wanted = decodeURIComponent(path).split('spec.dnsName=')[1];
        return Promise.resolve(has.filter(({ metadata }) => metadata.name === wanted));
      }
      if (path.includes('/dnsrecordsets')) return Promise.resolve(has);
      if (path.includes('/dnszones')) return Promise.resolve([zone({ provider })]);
      if (path.includes('/clusters'))
        return Promise.resolve([cluster('a', 'r1'), cluster('b', 'r2')]);
      if (path.includes('/serviceshards')) return Promise.resolve([shard('b', ['192.0.2.2'])]);
      return Promise.resolve([]);
    },
  };
  let said = '';
  const io = { out: (text: string) => (said += text), say: (text: string) => (said += text) };
  const call = { args: [name], flags: { text: () => undefined }, io, federation: () => federation };
  const code = await explainDns.run(call as unknown as Call); // what the command needs of it
  return `${code} ${said}`;
}

const inA = 'web.shop.fed.svc.r1-a.r1.example.com';

const cases: readonly (readonly [string, string, World, RegExp])[] = [
  [
    'a zone without a shard, which the embedded zone answers by the name above',
    inA,
    {},
    /^0 [^]*the embedded zone answers web\.shop\.fed\.svc\.r1-a\.r1\.example\.com with a CNAME to web\.shop\.fed\.svc\.example\.com\.\n[^]*b +yes +healthy/,
  ],
  [
    'the same at a provider, where it is not published',
    inA,
    { provider: 'Route53' },
    /^0 [^]*is not published: the name budget/,
  ],
  [
    'a name in capitals with a dot at its end',
    'WEB.shop.fed.svc.Example.com.',
    {},
    /^0 web\.shop\.fed\.svc\.example\.com: Service shop\/web/,
  ],
  [
    'what Pods ask',
    'web.shop.fed',
    {},
    /^0 [^]*Pods ask web\.shop\.fed: the agent of each cluster/,
  ],
  [
    'a Service that was never healthy',
    global,
    { records: [] },
    /^1 error: .*Service shop\/web has no names yet; see: kubectl isthmus check dns web -n shop/,
  ],
  [
    'a Service that is not there',
    inA,
    { hasService: false, records: [] },
    /^1 error: .*no Service "web" in namespace "shop"/,
  ],
  ['a label too long', `${'x'.repeat(64)}.example.com`, {}, /^1 error: .*is no name of DNS/],
  [
    'a name of three places',
    `web.shop.fed.svc.x.y.z.example.com`,
    {},
    /^1 error: .*nor of the form/,
  ],
];

for (const [what, name, world, expected] of cases) {
  test(`explain dns of ${what}`, async (t) => {
    t.regex(await explain(name, world), expected);
  });
}
