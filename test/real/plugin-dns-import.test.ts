// A zone that external-dns and Federation v1 wrote becomes ours, and is handed back: real kubectl, a
// real coordinator, a real BIND.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import type { DnsProvider } from '../../coordinator/dns/provider/provider.ts';
import { patience, recordSet } from '../contract/dns-provider-cases.ts';
import {
  missingOf,
  openAt,
  openDnsServer,
  secretText,
  type DnsServer,
} from '../support/dns/dns-server.ts';
import { bind } from '../support/dns/dns-servers.ts';
import { nsupdate } from '../support/dns/nsupdate.ts';
import { eventually } from '../support/eventually.ts';
import { openPlugin, type PluginKubectl } from '../support/plugin.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server');
const missing = missingOf(bind);
const declare = missing === undefined ? test : test.skip;
const context = '--context=federation-cluster';
const run = promisify(execFile);

interface World {
  readonly mesh: RealMesh;
  readonly plugin: PluginKubectl;
  readonly server: DnsServer;
  readonly provider: DnsProvider;
}

const title = 'records of external-dns and Federation v1 are shown, taken over and handed back';
declare(title, async (t) => {
  t.timeout(150_000);
  const server = await openDnsServer(bind, 1);
  t.teardown(() => server.dispose());
  const apex = server.takeZone();
  const names = namesIn(apex);
  await writeAsOthers(server, apex, names);
  const mesh = await openRealMesh({ clusters: 2 });
  t.teardown(() => mesh.close());
  const { dir: folder, kubeconfig } = mesh.layout;
  const plugin = openPlugin({ folder, kubeconfig });
  const provider = openAt(server, { zone: apex, key: server.ours });
  t.teardown(() => provider.close());
  const world = { mesh, plugin, server, provider };
  await makeZone(world, apex);
  await untilRecords(world, new RegExp(`${names.global} +A .*foreign`));
  await checkPreview(t, world, names);
  await checkTaken(t, world, names);
  await checkReleased(t, world, names);
});

type Names = ReturnType<typeof namesIn>;

function namesIn(apex: string) {
  const name = (head: string, ...labels: readonly string[]): string =>
    [`${head}.default.myfederation.svc`, ...labels, apex].join('.');
  const global = name('nginx');
  const zone = name('nginx', 'us-central1-a', 'us-central1');
  return {
    global,
    theirMark: `a-${global}`,
    region: name('nginx', 'us-central1'),
    zone,
    // With a --txt-prefix of its own.
    prefixedMark: `extdns-a-${zone}`,
    gone: name('gone'),
    mail: `mail.${apex}`,
    mark: `_fedowner.${global}`,
    fence: `_fedfence.myfederation.${apex}`,
  };
}

async function writeAsOthers(server: DnsServer, zone: string, names: Names): Promise<void> {
  const heritage =
    'heritage=external-dns,external-dns/owner=default,external-dns/resource=service/default/nginx';
  await nsupdate({ port: server.port, zone, key: server.other }, 'put', [
    recordSet(names.global, 'A', ['198.51.100.9'], 300),
    recordSet(names.theirMark, 'TXT', [heritage]),
    recordSet(names.region, 'A', ['198.51.100.8'], 180),
    recordSet(names.zone, 'A', ['198.51.100.6'], 300),
    recordSet(names.prefixedMark, 'TXT', [heritage]),
    recordSet(names.gone, 'A', ['198.51.100.7']),
    recordSet(names.mail, 'A', ['198.51.100.5']),
  ]);
}

async function makeZone({ mesh, server }: World, domain: string): Promise<void> {
  const objects = [
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'tsig', namespace: 'default' },
      stringData: { 'tsig-secret': secretText(server.ours) },
    },
    {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'DNSZone',
      metadata: { name: 'datacenter' },
      spec: {
        domain,
        provider: 'RFC2136',
        rfc2136: { server: `127.0.0.1:${server.port}`, tsigKeyName: server.ours.name },
        secretRef: { namespace: 'default', name: 'tsig' },
      },
    },
  ];
  const input = objects.map((it) => JSON.stringify(it)).join('\n');
  await mesh.kubectl('federation-cluster', ['create', '-f', '-'], input);
  await mesh.createNginx();
}

function untilRecords({ mesh }: World, wanted: RegExp): Promise<void> {
  return eventually(40_000, async () => {
    const text = await mesh.kubectl('federation-cluster', ['get', 'dnsrecordsets']);
    return wanted.test(text) ? [] : [text];
  });
}

async function checkPreview(t: ExecutionContext, { plugin }: World, names: Names): Promise<void> {
  const { global, theirMark, region, gone } = names;
  const preview = await plugin.ok(['dns', 'import', 'datacenter', '--dry-run', context]);
  for (const line of [
    `change +external-dns/default +${global} +A +198\\.51\\.100\\.9 -> 127\\.`,
    `remove +external-dns/default +${theirMark} +TXT`,
    `change +federation-v1 +${region} +A +198\\.51\\.100\\.8 -> 127\\.`,
    `change +federation-v1 +${names.zone} +A .*, and external-dns', by ${names.prefixedMark}`,
    `leave +external-dns/default +${names.prefixedMark} +TXT .*external-dns' mark of ${names.zone}`,
    `leave +federation-v1 +${gone} +A .*no Service publishes`,
  ]) {
    t.regex(preview, new RegExp(line));
  }
  t.notRegex(preview, /mail\./);
  t.regex(preview, /external-dns marks some of federation-v1's by a --txt-prefix .*Stop it first/);
  t.regex(preview, /--from external-dns\/default,federation-v1\n$/);
  const wrong = await plugin.isthmus(['dns', 'import', 'datacenter', '--from', 'nobody', context]);
  t.is(wrong.code, 1);
  t.regex(wrong.errors, /nobody keeps nothing/);
}

async function checkTaken(t: ExecutionContext, world: World, names: Names): Promise<void> {
  const { plugin, provider, server } = world;
  const { global, region, gone, mail, mark } = names;
  const from = 'external-dns/default,federation-v1';
  await plugin.ok(['dns', 'import', 'datacenter', '--from', from, context]);
  await untilRecords(world, new RegExp(`${global} +A +[^\\n]*live`));
  const taken = await provider.read(Object.values(names), patience);
  t.deepEqual(
    taken.map((set) => set.name).sort(),
    [global, region, names.zone, names.prefixedMark, gone, mail, mark, names.fence].sort(),
  );
  t.deepEqual(
    taken.find((set) => set.name === gone),
    recordSet(gone, 'A', ['198.51.100.7']),
  );
  const { stdout } = await run('dig', ['+short', '@127.0.0.1', '-p', `${server.port}`, global]);
  t.regex(stdout, /^(127\.[\d.]+\n){2}$/);
  // Ours are ours; what nobody publishes, and the mark that we do not know by its name, are left.
  const after = await plugin.ok(['dns', 'import', 'datacenter', context]);
  t.regex(after, /\n2 to leave\.\n$/, after);
  t.regex(
    after,
    new RegExp(`leave +external-dns/default +${names.prefixedMark} .*remove it by hand`),
  );
}

async function checkReleased(t: ExecutionContext, world: World, names: Names): Promise<void> {
  const { plugin, provider, mesh } = world;
  const before = await provider.read(Object.values(names), patience);
  const release = ['dns', 'release', 'datacenter', context];
  t.regex(await plugin.ok([...release, '--dry-run']), /record sets would be handed back/);
  await plugin.ok(release);
  await eventually(40_000, async () => {
    const zones = await mesh.kubectl('federation-cluster', ['get', 'dnszones', '-o', 'name']);
    return zones.includes('datacenter') ? ['it stands'] : [];
  });
  const ours = new Set([names.mark, names.fence]);
  const left = await provider.read(Object.values(names), patience);
  t.deepEqual(
    left,
    before.filter(({ name }) => !ours.has(name)),
  );
}
