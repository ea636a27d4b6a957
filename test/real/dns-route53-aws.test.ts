// The double as a client sees it that we did not write: the aws command line (v1).

import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { group, recordSet } from '../contract/dns-provider-cases.ts';
import { findPython } from '../support/python-client.ts';
import { testKeys } from '../support/dns/route53/double.ts';
import { handOn, openRoute53World, type Route53World } from '../support/dns/route53/subject.ts';
import { runProgram } from '../support/run-program.ts';

const { python, missing } = findPython('python-aws');
const testAws = missing === undefined ? test : test.skip;
const skipped = missing === undefined ? '' : ` [aws: ${missing}]`;

async function openWorld(t: ExecutionContext): Promise<Route53World> {
  const world = await openRoute53World();
  t.teardown(world.close);
  return world;
}

function aws(
  { double }: Route53World,
  args: readonly string[],
  keys: { readonly accessKeyId: string; readonly secretAccessKey: string } = testKeys,
) {
  const cli = join(dirname(python), 'aws');
  return runProgram(
    python,
    [cli, '--endpoint-url', double.endpoint, '--output', 'json', 'route53', ...args],
    {
      env: {
        AWS_ACCESS_KEY_ID: keys.accessKeyId,
        AWS_SECRET_ACCESS_KEY: keys.secretAccessKey,
        AWS_DEFAULT_REGION: 'us-east-1',
        AWS_MAX_ATTEMPTS: '1',
        AWS_EC2_METADATA_DISABLED: 'true',
      },
    },
  );
}

testAws(`aws reads from the double what the adapter wrote${skipped}`, async (t) => {
  const world = await openWorld(t);
  const { provider, zone } = world;
  const sets = [
    { ...recordSet('a.example.com', 'A', ['192.0.2.1']), member: { id: 'c1', weight: 3 } },
    { ...recordSet('a.example.com', 'A', ['192.0.2.2']), member: { id: 'c2', weight: 0 } },
    recordSet('t.example.com', 'TXT', ['say "hi"']),
    recordSet('*.w.example.com', 'CNAME', ['a.example.com'], 30),
  ];
  const outcomes = await provider.apply(
    { groups: [group('g', { creates: sets })] },
    { timeoutMs: 10_000 },
  );
  t.is(outcomes.get('g')?.kind, 'applied');
  const ran = await aws(world, ['list-resource-record-sets', '--hosted-zone-id', zone.options.id]);
  t.is(ran.code, 0, ran.errors);
  const listed = JSON.parse(ran.output) as { readonly ResourceRecordSets: readonly object[] };
  t.deepEqual(listed.ResourceRecordSets.slice(2), [
    {
      Name: 'a.example.com.',
      Type: 'A',
      SetIdentifier: 'c1',
      Weight: 3,
      TTL: 60,
      ResourceRecords: [{ Value: '192.0.2.1' }],
    },
    {
      Name: 'a.example.com.',
      Type: 'A',
      SetIdentifier: 'c2',
      Weight: 0,
      TTL: 60,
      ResourceRecords: [{ Value: '192.0.2.2' }],
    },
    {
      Name: 't.example.com.',
      Type: 'TXT',
      TTL: 60,
      ResourceRecords: [{ Value: '"say \\"hi\\""' }],
    },
    {
      Name: '\\052.w.example.com.',
      Type: 'CNAME',
      TTL: 30,
      ResourceRecords: [{ Value: 'a.example.com.' }],
    },
  ]);
});

testAws(`aws pages through 700 sets of the double${skipped}`, async (t) => {
  const world = await openWorld(t);
  const sets = Array.from({ length: 700 }, (_, index) =>
    recordSet(`n${index}.example.com`, 'A', ['192.0.2.1']),
  );
  await handOn(world.zone).put(sets);
  const ran = await aws(world, [
    'list-resource-record-sets',
    '--hosted-zone-id',
    world.zone.options.id,
    '--query',
    'length(ResourceRecordSets)',
  ]);
  t.is(Number(ran.output), 702, ran.errors);
  t.is(world.double.count('ListResourceRecordSets'), 3);
});

testAws(`aws changes the double, and the adapter reads it${skipped}`, async (t) => {
  const world = await openWorld(t);
  const { provider, zone } = world;
  const change = (action: string, address: string): string =>
    JSON.stringify({
      Changes: [
        {
          Action: action,
          ResourceRecordSet: {
            Name: 'Hand.example.com',
            Type: 'A',
            TTL: 300,
            ResourceRecords: [{ Value: address }],
          },
        },
      ],
    });
  const submit = (action: string, address: string) =>
    aws(world, [
      'change-resource-record-sets',
      '--hosted-zone-id',
      zone.options.id,
      '--change-batch',
      change(action, address),
    ]);
  const created = await submit('CREATE', '192.0.2.9');
  t.is(created.code, 0, created.errors);
  t.deepEqual(await provider.read(['hand.example.com'], { timeoutMs: 10_000 }), [
    recordSet('hand.example.com', 'A', ['192.0.2.9'], 300),
  ]);
  const { ChangeInfo } = JSON.parse(created.output) as { readonly ChangeInfo: { Id: string } };
  const observed = await aws(world, ['get-change', '--id', ChangeInfo.Id]);
  t.regex(observed.output, /"Status": "(PENDING|INSYNC)"/);
  const refused = await submit('DELETE', '192.0.2.8');
  t.not(refused.code, 0);
  t.regex(
    refused.errors,
    /InvalidChangeBatch.*Tried to delete resource record set \[name='hand\.example\.com\.', type='A'\] but the values provided do not match the current values/,
  );
});

testAws(`aws is refused by the double for a wrong secret${skipped}`, async (t) => {
  const world = await openWorld(t);
  const wrong = { ...testKeys, secretAccessKey: 'another' };
  const ran = await aws(world, ['get-hosted-zone', '--id', world.zone.options.id], wrong);
  t.not(ran.code, 0);
  t.regex(ran.errors, /SignatureDoesNotMatch/);
});
