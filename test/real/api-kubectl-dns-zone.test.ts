// DNSZones by real kubectl: explain, examples, bad input, a replaced Secret, and a provider that
// denies while another zone goes on. The providers are in memory.

import { readdirSync, readFileSync } from 'node:fs';
import { systemChance } from '../../common/runtime/chance.ts';
import { systemClock } from '../../common/runtime/clock.ts';
import { silentLog } from '../../common/runtime/log.ts';
import { silentMetrics } from '../../common/runtime/metrics.ts';
import { createDnsStage } from '../../coordinator/dns-stage.ts';
import type { ProviderOpening } from '../../coordinator/dns/zones/plan-opening.ts';
import { acquireTerm } from '../../coordinator/desired/term.ts';
import { createEventRecorder } from '../../coordinator/status/events.ts';
import { createMemoryProvider, type ProviderFault } from '../support/dns/memory-provider.ts';
import { createViews, toKey } from '../support/dns/zones-world.ts';
import { eventually } from '../support/eventually.ts';
import type { FederationApi } from '../support/federation-api.ts';
import { withKubectls } from '../support/kubectl-versions.ts';

const faults = new Map<string, ProviderFault>();
const openings: ProviderOpening[] = [];
const views: { current?: ReturnType<typeof createViews> } = {};

const each = withKubectls(['1.27', '1.33'], (federation) => void serveZones(federation));

/** The DNS stage beside the API, on the same log. */
async function serveZones({ desired }: FederationApi): Promise<void> {
  const common = {
    desired,
    clock: systemClock,
    chance: systemChance,
    log: silentLog,
    metrics: silentMetrics,
  };
  const recorder = createEventRecorder(common);
  views.current = createViews({ desired });
  const { placement, health } = views.current;
  const stage = createDnsStage({
    ...common,
    placement,
    health,
    recorder,
    term: await acquireTerm({ desired, holder: 'test' }),
    openDnsProvider: (opening) => {
      openings.push(opening);
      const id = opening.kind === 'Route53' ? opening.hostedZoneId : opening.kind;
      return Promise.resolve(
        createMemoryProvider({
          clock: systemClock,
          apex: 'example.org',
          propagationMs: 50,
          fault: () => faults.get(id),
        }),
      );
    },
    config: {
      federation: 'fed',
      domain: 'example.com',
      ttlSeconds: 60,
      addressRules: { allowLoopback: false },
    },
  });
  recorder.start();
  await stage.prepare();
  stage.start();
}

each(
  '[k8s 116] kubectl …: explain tells what a DNSZone needs, and every example is taken',
  async (t, { ok }) => {
    const spec = await ok(['explain', 'dnszone.spec']);
    t.regex(spec, /provider\s+<string> -required-\s/);
    t.regex(spec, /Who serves the zone/);
    const secret = await ok(['explain', 'dnsz.spec.secretRef']);
    t.regex(secret, /aws_access_key_id/);
    t.regex(secret, /tsig-secret/);
    const folder = new URL('../../../examples/dns/', import.meta.url);
    for (const file of readdirSync(folder)) {
      const documents = readFileSync(new URL(file, folder), 'utf8').split('\n---\n');
      for (const input of documents.filter((text) => text.includes('kind: DNSZone'))) {
        const answer = await ok(['create', '-f', '-', '--dry-run=server'], { input });
        t.regex(answer, /created \(server dry run\)/, file);
      }
    }
  },
);

const zoneText = (name: string, more: string): string =>
  `apiVersion: isthmus.dev/v1alpha1\nkind: DNSZone\nmetadata: {name: ${name}}\nspec:\n${more}`;

each(
  '[k8s 116] kubectl …: bad DNSZones are told what is wrong and the way out',
  async (t, kubectl, name) => {
    const refuse = async (more: string): Promise<string> => {
      const { code, stderr } = await kubectl.run(['apply', '-f', '-'], {
        input: zoneText(name, more),
      });
      t.not(code, 0);
      return stderr;
    };
    t.regex(
      await refuse('  domain: example.com\n  provider: Bind\n'),
      /spec\.provider: Unsupported value: "Bind": supported values: "Embedded", "Route53"/,
    );
    t.regex(
      await refuse('  domain: example.com\n  provider: Route53\n'),
      /spec\.route53: Required value: must be set when `provider` is 'Route53'/,
    );
    t.regex(
      await refuse('  domain: example.com\n  provider: Embedded\n  tll: 5\n'),
      /unknown field "spec\.tll"/,
    );
    const route53 = '  provider: Route53\n  route53: {hostedZoneId: ZBAD}\n';
    const domain = `${name}.example.org`;
    await kubectl.ok(['apply', '-f', '-'], {
      input: zoneText(name, `  domain: ${domain}\n${route53}`),
    });
    t.regex(
      await refuse(`  domain: other.example.org\n${route53}`),
      /spec\.domain: Invalid value: .* is immutable, .* make another DNSZone/,
    );
    const missing = `${name}-tsig`;
    const rfc2136 =
      `  domain: ${missing}.example.org\n  provider: RFC2136\n` +
      '  rfc2136: {server: "192.0.2.53:53", tsigKeyName: k}\n  secretRef: {namespace: default, name: none}\n';
    await kubectl.ok(['apply', '-f', '-'], { input: zoneText(missing, rfc2136) });
    await kubectl.ok(['wait', '--for=condition=Ready=False', `dnsz/${missing}`, '--timeout=20s']);
    t.regex(await kubectl.ok(['get', 'dnsz', missing]), /RFC2136\s.*SecretMissing/);
    const described = await kubectl.ok(['describe', 'dnsz', missing]);
    t.regex(described, /kubectl create secret generic none --namespace default/);
    await kubectl.ok(['delete', 'dnsz', name, '--timeout=20s']);
  },
);

each(
  '[k8s 116] I10 kubectl …: a Secret is replaced without a restart, and one zone is denied while another goes on',
  async (t, kubectl, name) => {
    const { ok } = kubectl;
    const secret = async (value: string): Promise<void> => {
      const args = ['create', 'secret', 'generic', name, '--dry-run=client', '-o', 'yaml'];
      const keys = ['aws_access_key_id=A', `aws_secret_access_key=${value}`];
      const input = await ok([...args, ...keys.map((key) => `--from-literal=${key}`)]);
      await ok(['apply', '-f', '-'], { input });
    };
    await secret('first');
    const [good, bad] = [`${name}-good`, `${name}-bad`];
    const ids = {
      [good]: `Z${name.toUpperCase().replace('-', '')}G`,
      [bad]: `Z${name.toUpperCase().replace('-', '')}B`,
    };
    for (const zone of [good, bad]) {
      const input = zoneText(
        zone,
        `  domain: ${zone}.example.org\n  provider: Route53\n  route53: {hostedZoneId: ${ids[zone]}}\n` +
          `  secretRef: {namespace: default, name: ${name}}\n`,
      );
      await ok(['apply', '--server-side', '-f', '-'], { input });
    }
    await ok(['wait', '--for=condition=Ready', `dnsz/${good}`, `dnsz/${bad}`, '--timeout=20s']);
    const head = (await ok(['get', 'dnsz'])).split('\n')[0]?.split(/\s+/);
    t.deepEqual(head, ['NAME', 'DOMAIN', 'PROVIDER', 'RECORDS', 'PENDING', 'READY', 'AGE']);
    await secret('second');
    const isSecond = (opening: ProviderOpening): boolean =>
      opening.kind === 'Route53' &&
      opening.hostedZoneId === ids[good] &&
      opening.credentials?.secretAccessKey === 'second';
    await eventually(10_000, () =>
      Promise.resolve(openings.some(isSecond) ? [] : ['the new Secret is not used']),
    );
    await ok(['wait', '--for=condition=Ready', `dnsz/${good}`, '--timeout=20s']);
    faults.set(ids[bad] ?? '', 'denied');
    const key = toKey(`default/${name}`);
    views.current?.addresses.set(key, '8.8.0.1');
    await ok(['create', 'service', 'loadbalancer', name, '--tcp=80']);
    await ok(['wait', '--for=condition=Authorized=False', `dnsz/${bad}`, '--timeout=20s']);
    const rows = await ok(['get', 'dnsz']);
    t.regex(
      rows,
      new RegExp(`${bad}\\s+${bad}.example.org\\s+Route53\\s+\\d+\\s+[1-9]\\d*\\s+Denied`),
    );
    t.regex(rows, new RegExp(`${good}\\s.*True`));
    t.regex(await ok(['describe', 'dnsz', bad]), /Warning\s+ZoneDenied/);
    faults.delete(ids[bad] ?? '');
    await ok(['patch', 'dnsz', good, '--type=merge', '-p', '{"spec":{"frozen":true}}']);
    await ok(['wait', '--for=condition=Frozen', `dnsz/${good}`, '--timeout=20s']);
    const editor = kubectl.file(
      'editor',
      '#!/bin/sh\nsed -i "s/frozen: true/frozen: false/" "$1"\n',
      0o700,
    );
    t.regex(await ok(['edit', 'dnsz', good], { env: { EDITOR: editor } }), /edited/);
    await ok(['wait', '--for=condition=Ready', `dnsz/${good}`, '--timeout=20s']);
    await ok(['delete', 'dnsz', good, '--timeout=20s']);
  },
);
