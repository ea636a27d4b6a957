// The double as clients see it that we did not write: Google's DNS library for Node, and gcloud.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DNS } from '@google-cloud/dns';
import test, { type ExecutionContext } from 'ava';
import { OAuth2Client } from 'google-auth-library';
import { openCloudDnsSubject, type CloudDnsSubject } from '../support/dns/cloud-dns/subject.ts';
import { runProgram } from '../support/run-program.ts';
import { group, mustApply, recordSet } from '../contract/dns-provider-cases.ts';

async function openSubject(t: ExecutionContext): Promise<CloudDnsSubject> {
  const subject = await openCloudDnsSubject();
  t.teardown(subject.dispose);
  return subject;
}

function openLibrary({ double }: CloudDnsSubject): DNS {
  const authClient = new OAuth2Client();
  authClient.setCredentials({ access_token: double.accounts.issue() });
  // The library's own JWT type is a copy of the same class.
  const options = { projectId: double.project, authClient, autoRetry: false };
  const dns = new DNS(options as unknown as ConstructorParameters<typeof DNS>[0]);
  dns.baseUrl = `${double.url}/dns/v1`;
  return dns;
}

test("Google's library reads what the adapter wrote, and the adapter what it wrote", async (t) => {
  const subject = await openSubject(t);
  const { apex, provider } = subject;
  const ours = [
    recordSet(`a.${apex}`, 'A', ['192.0.2.1', '192.0.2.2']),
    recordSet(`t.${apex}`, 'TXT', ['say "hi"']),
  ];
  await mustApply(t, subject, [group('g', { creates: ours })]);
  const zone = openLibrary(subject).zone(subject.double.managedZone);
  const [records] = await zone.getRecords();
  t.deepEqual(
    records.map(({ metadata }) => metadata.name).sort(),
    [`${apex}.`, `${apex}.`, `a.${apex}.`, `t.${apex}.`].sort(),
  );
  const theirs = zone.record('cname', { name: `c.${apex}.`, data: `A.${apex}.`, ttl: 30 });
  await zone.addRecords(theirs);
  t.deepEqual(await provider.read([`c.${apex}`], { timeoutMs: 10_000 }), [
    recordSet(`c.${apex}`, 'CNAME', [`a.${apex}`], 30),
  ]);
  const conflict = await t.throwsAsync<Error & { readonly code?: number }>(zone.addRecords(theirs));
  t.is(conflict?.code, 409);
  t.regex(conflict?.message ?? '', /additions\[0\].*already exists/);
});

const hasGcloud = spawnSync('gcloud', ['--version'], { timeout: 60_000 }).status === 0;
const testGcloud = hasGcloud ? test : test.skip;
const name = hasGcloud ? 'gcloud' : 'gcloud, which is not on this machine,';

testGcloud(`${name} lists the record sets of the double and describes a change`, async (t) => {
  const subject = await openSubject(t);
  const { apex, double } = subject;
  const weighted = {
    ...recordSet(`w.${apex}`, 'A', []),
    items: [
      { weight: 3, values: ['192.0.2.1'] },
      { weight: 1, values: ['192.0.2.2'] },
    ],
  };
  const sets = [recordSet(`a.${apex}`, 'A', ['192.0.2.1'], 30), weighted];
  await mustApply(t, subject, [group('g', { creates: sets })]);
  const folder = mkdtempSync(join(tmpdir(), 'isthmus-gcloud-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const tokenFile = join(folder, 'token');
  writeFileSync(tokenFile, double.accounts.issue());
  const gcloud = async (...args: readonly string[]): Promise<unknown> => {
    const place = [`--zone=${double.managedZone}`, `--project=${double.project}`];
    const env = {
      CLOUDSDK_CONFIG: folder,
      CLOUDSDK_AUTH_ACCESS_TOKEN_FILE: tokenFile,
      CLOUDSDK_API_ENDPOINT_OVERRIDES_DNS: `${double.url}/`,
      CLOUDSDK_CORE_DISABLE_PROMPTS: '1',
      CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK: '1',
    };
    const said = ['dns', ...args, ...place, '--format=json'];
    const ran = await runProgram('gcloud', said, { env, withinMs: 50_000 });
    t.is(ran.code, 0, ran.errors);
    return JSON.parse(ran.output);
  };
  const listed = (await gcloud('record-sets', 'list')) as readonly {
    readonly name: string;
    readonly type: string;
    readonly ttl: number;
    readonly rrdatas?: readonly string[];
    readonly routingPolicy?: { readonly wrr: { readonly items: readonly object[] } };
  }[];
  const find = (of: string): (typeof listed)[number] | undefined =>
    listed.find((set) => set.name === `${of}.${apex}.`);
  t.deepEqual(find('a')?.rrdatas, ['192.0.2.1']);
  t.is(find('a')?.ttl, 30);
  t.is(find('w')?.routingPolicy?.wrr.items.length, 2);
  const changed = (await gcloud('record-sets', 'changes', 'describe', '1')) as {
    readonly status: string;
    readonly additions: readonly object[];
  };
  t.is(changed.status, 'done');
  t.is(changed.additions.length, 2);
});
