// Real coordinators, each with a data directory of its own, that were given one zone at a real BIND:
// with owner ids of their own, and with one by mistake. Nothing that is published is lost, and each
// says what to do.

import { openDnsServer, type DnsServer } from '../support/dns/dns-server.ts';
import { bind } from '../support/dns/dns-servers.ts';
import {
  answersAt,
  apply,
  conditionsOf,
  federated,
  follows,
  untilSaid,
  zoneAt,
} from '../support/dns/mesh-zones.ts';
import { eventually } from '../support/eventually.ts';
import { annotateReady } from '../support/nginx-views.ts';
import { openPlugin } from '../support/plugin.ts';
import { testWith } from '../support/programs.ts';
import { a, f, openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const test = testWith('kubectl', 'nats-server', 'named');
const ofZone = 'dnszone/lab';
let server: DnsServer;
let domain = '';
let first: RealMesh;
let other: RealMesh;
let twin: RealMesh;

test.before(async () => {
  server = await openDnsServer(bind, 1);
  domain = server.takeZone();
  const open = (clusters: number, ownerId: string): Promise<RealMesh> =>
    openRealMesh({
      clusters,
      coordinatorFlags: ['--ttl-seconds=2', `--dns-owner-id=${ownerId}`],
    });
  first = await open(2, 'prod');
  [other, twin] = await Promise.all([open(1, 'staging'), open(1, 'prod')]);
  await Promise.all([first, other, twin].map((mesh) => mesh.createNginx()));
  await apply(first, ...zoneAt(server, { name: 'lab', domain }));
  await first.kubectl(federated, ['wait', '--for=condition=Ready', ofZone, '--timeout=40s']);
  await follows(first, at());
});

test.after.always('no process crashed, and none is left', async (t) => {
  const meshes = [first, other, twin].filter((mesh) => mesh !== undefined);
  await Promise.all(meshes.map((mesh) => mesh.close()));
  await server?.dispose();
  t.deepEqual(
    meshes.flatMap(({ crashes }) => crashes),
    [],
  );
});

const at = () => ({ port: server.port, domain });
const standing = (): Promise<readonly string[]> => answersAt(first, at());

/** The first one's cluster is not ready, or again, and BIND follows. */
async function change(isReady: boolean): Promise<void> {
  await annotateReady(first, a, isReady);
  await eventually(30_000, () => first.dnsFaults(isReady ? [a, f] : [f]), 200);
}

test.serial(
  'a coordinator with an owner id of its own is fenced out, and says of whom',
  async (t) => {
    const before = await standing();
    await apply(other, ...zoneAt(server, { name: 'lab', domain }));
    await untilSaid(
      () => conditionsOf(other, ofZone),
      [
        /Ready=False Fenced: .* names another coordinator, prod\. Nothing is written\./,
        /Fenced=True OtherOwner: .*add its id to spec\.takeOverFrom/,
      ],
    );
    t.regex(
      await conditionsOf(other, 'service/nginx'),
      /Published=False ProviderFailing: lab: .*prod/,
    );
    const { dir, kubeconfig } = other.layout;
    const plugin = openPlugin({ folder: dir, kubeconfig });
    t.regex(await plugin.ok(['status']), /DNSZone lab: Fenced: .* another coordinator, prod\./);
    t.regex(await plugin.ok(['dns', 'plan', 'lab']), /waits: The fence .*\n +\+ +nginx\.default/);
    t.deepEqual(await standing(), before);
    await change(false);
    await follows(first, at());
    await change(true);
    await follows(first, at());
    t.regex(await conditionsOf(first, ofZone), /Ready=True Writable/);
  },
);

test.serial('one with the same owner id is told of it, and the first one goes on', async (t) => {
  const before = await standing();
  await apply(twin, ...zoneAt(server, { name: 'lab', domain }));
  await untilSaid(
    () => conditionsOf(twin, ofZone),
    [/Fenced=True TwinOwner: .*our owner id, prod: two run with one --dns-owner-id .*Stop one of/],
  );
  t.deepEqual(await standing(), before);
  await change(false);
  await follows(first, at());
  await change(true);
  await follows(first, at());
});

test.serial(
  'one of two that takes the fence by a restart takes no names, and the way out leads out',
  async (t) => {
    const before = await standing();
    await twin.kill('coordinator');
    await twin.start('coordinator');
    await untilSaid(
      () => conditionsOf(twin, ofZone),
      [/Fenced=False/, /NameConflict=True ForeignRecords: .*default\/nginx .*left alone/],
    );
    t.deepEqual(await standing(), before);
    await change(false);
    await untilSaid(
      () => conditionsOf(first, ofZone),
      [
        /Fenced=True Deposed: .*term 2 of prod, ours is 1.*--dns-owner-id.*add this id to spec\.takeOver/,
      ],
    );
    t.deepEqual(await standing(), before);
    // The later one is stopped, and the first told that no other runs.
    await twin.kill('coordinator');
    const spec = JSON.stringify({ spec: { takeOverFrom: ['prod'] } });
    await first.kubectl(federated, ['patch', ofZone, '--type=merge', '-p', spec]);
    await follows(first, at());
    await untilSaid(() => conditionsOf(first, ofZone), [/Ready=True Writable/, /Fenced=False/]);
  },
);
