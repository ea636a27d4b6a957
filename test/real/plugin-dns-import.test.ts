// A zone that external-dns and Federation v1 wrote becomes ours, and is handed back: real kubectl, a
// real coordinator, a real BIND.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { group, patience, recordSet } from '../contract/dns-provider-cases.ts';
import { missingOf, openAt, openDnsServer, secretText } from '../support/dns/dns-server.ts';
import { bind } from '../support/dns/dns-servers.ts';
import { nsupdate } from '../support/dns/nsupdate.ts';
import { eventually } from '../support/eventually.ts';
import { openPlugin } from '../support/plugin.ts';
import { testWith } from '../support/programs.ts';
import { openRealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server');
const missing = missingOf(bind);
const declare = missing === undefined ? test : test.skip;
const context = '--context=federation-cluster';
const run = promisify(execFile);

declare(
  'records of external-dns and Federation v1 are shown, taken over and handed back',
  async (t) => {
    t.timeout(150_000);
    const server = await openDnsServer(bind, 1);
    t.teardown(() => server.dispose());
    const apex = server.takeZone();
    const name = (head: string, ...labels: readonly string[]): string =>
      [`${head}.default.myfederation.svc`, ...labels, apex].join('.');
    const [global, region, gone] = [name('nginx'), name('nginx', 'us-central1'), name('gone')];
    const heritage =
      'heritage=external-dns,external-dns/owner=default,external-dns/resource=service/default/nginx';
    const mail = recordSet(`mail.${apex}`, 'A', ['198.51.100.5']);
    const leftover = recordSet(gone, 'A', ['198.51.100.7']);
    await nsupdate({ port: server.port, zone: apex, key: server.other }, 'put', [
      recordSet(global, 'A', ['198.51.100.9'], 300),
      recordSet(`a-${global}`, 'TXT', [heritage]),
      recordSet(region, 'A', ['198.51.100.8'], 180),
      leftover,
      mail,
    ]);

    const mesh = await openRealMesh({ clusters: 2 });
    t.teardown(() => mesh.close());
    const { layout } = mesh;
    const plugin = openPlugin({ folder: layout.dir, kubeconfig: layout.kubeconfig });
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
          domain: apex,
          provider: 'RFC2136',
          rfc2136: { server: `127.0.0.1:${server.port}`, tsigKeyName: server.ours.name },
          secretRef: { namespace: 'default', name: 'tsig' },
        },
      },
    ];
    const input = objects.map((it) => JSON.stringify(it)).join('\n');
    await mesh.kubectl('federation-cluster', ['create', '-f', '-'], input);
    await mesh.createNginx();
    const until = (ask: () => Promise<string>, wanted: RegExp): Promise<void> =>
      eventually(40_000, async () => {
        const text = await ask();
        return wanted.test(text) ? [] : [text];
      });
    const records = (): Promise<string> =>
      mesh.kubectl('federation-cluster', ['get', 'dnsrecordsets', '-n', 'default']);
    await until(records, new RegExp(`${global} +A .*foreign`));

    const preview = await plugin.ok(['dns', 'import', 'datacenter', '--dry-run', context]);
    t.regex(
      preview,
      new RegExp(`change +external-dns/default +${global} +A +198\\.51\\.100\\.9 -> 127\\.`),
    );
    t.regex(preview, new RegExp(`remove +external-dns/default +a-${global} +TXT`));
    t.regex(
      preview,
      new RegExp(`change +federation-v1 +${region} +A +198\\.51\\.100\\.8 -> 127\\.`),
    );
    t.regex(preview, new RegExp(`leave +federation-v1 +${gone} +A .*no Service publishes`));
    t.notRegex(preview, /mail\./);
    t.regex(preview, /--from external-dns\/default,federation-v1\n$/);
    const wrong = await plugin.isthmus([
      'dns',
      'import',
      'datacenter',
      '--from',
      'nobody',
      context,
    ]);
    t.is(wrong.code, 1);
    t.regex(wrong.errors, /nobody keeps nothing/);

    const from = 'external-dns/default,federation-v1';
    await plugin.ok(['dns', 'import', 'datacenter', '--from', from, context]);
    await until(records, new RegExp(`${global} +A +[^\\n]*live`));
    const provider = openAt(server, { zone: apex, key: server.ours });
    t.teardown(() => provider.close());
    const mark = `_fedowner.${global}`;
    const names = [global, `a-${global}`, region, gone, mail.name, mark];
    const taken = await provider.read(names, patience);
    t.deepEqual(
      taken.map((set) => `${set.name} ${set.type}`).sort(),
      [`${mark} TXT`, `${gone} A`, `${mail.name} A`, `${global} A`, `${region} A`].sort(),
    );
    t.deepEqual(
      taken.find((set) => set.name === gone),
      leftover,
    );
    const { stdout } = await run('dig', ['+short', '@127.0.0.1', '-p', `${server.port}`, global]);
    t.regex(stdout, /^(127\.[\d.]+\n){2}$/);
    const after = await plugin.ok(['dns', 'import', 'datacenter', context]);
    t.notRegex(after, /external-dns/);

    const release = ['dns', 'release', 'datacenter', context];
    t.regex(await plugin.ok([...release, '--dry-run']), /record sets would be handed back/);
    await plugin.ok(release);
    const zones = (): Promise<string> =>
      mesh.kubectl('federation-cluster', ['get', 'dnszones', '-o', 'name']);
    await eventually(40_000, async () =>
      (await zones()).includes('datacenter') ? ['it stands'] : [],
    );
    const left = await provider.read([...names, `_fedfence.myfederation.${apex}`], patience);
    t.deepEqual(
      left,
      taken.filter((set) => set.name !== mark),
    );
    // Nobody's now: another owner may take them.
    const own = taken.filter((set) => set.name === global);
    const outcomes = await provider.apply({ groups: [group('g', { deletes: own })] }, patience);
    t.is(outcomes.get('g')?.kind, 'applied');
  },
);
