// A person's work with Services of every type, with real kubectl.

import type { ExecutionContext } from 'ava';
import { startFederationApi } from '../support/federation-api.ts';
import { nameMissingKubectls } from '../support/kubectl-versions.ts';
import { createKubectl, type Kubectl } from '../support/kubectl.ts';
import { findKubectls, testWith } from '../support/programs.ts';

// One that sends JSON for everything, the first that sends protobuf, and what we claim to be.
const minors = ['1.27', '1.32', '1.34'];

async function start(t: ExecutionContext, path: string): Promise<Kubectl> {
  const federation = await startFederationApi();
  const kubectl = createKubectl(path, federation.https);
  t.teardown(async () => {
    await federation.close();
    kubectl.remove();
  });
  return kubectl;
}

const { found, notFound } = findKubectls(minors);
const test = testWith('kubectl');

for (const { minor, path } of found) {
  test(`[k8s 18, 35] kubectl ${minor} creates Services of every type and lists their columns`, async (t) => {
    t.timeout(120_000);
    const kubectl = await start(t, path);
    const create = (...args: readonly string[]) => kubectl.ok(['create', 'service', ...args]);
    t.is(await create('clusterip', 'a', '--tcp=80'), 'service/a created\n');
    t.is(await create('nodeport', 'b', '--tcp=80', '--node-port=30080'), 'service/b created\n');
    t.is(await create('loadbalancer', 'c', '--tcp=443'), 'service/c created\n');
    t.is(await create('externalname', 'd', '--external-name=d.example'), 'service/d created\n');
    t.is(await create('clusterip', 'e', '--clusterip=None', '--tcp=80'), 'service/e created\n');
    const rows = (await kubectl.ok(['get', 'svc', '-o', 'wide', '--no-headers']))
      .trim()
      .split('\n');
    const forms = [
      /^a +ClusterIP +10\.96\.\d+\.\d+ +<none> +80\/TCP +\d+s +app=a$/,
      /^b +NodePort +10\.96\.\d+\.\d+ +<none> +80:30080\/TCP +\d+s +app=b$/,
      /^c +LoadBalancer +10\.96\.\d+\.\d+ +<pending> +443:3\d{4}\/TCP +\d+s +app=c$/,
      /^d +ExternalName +<none> +d\.example +<none> +\d+s +app=d$/,
      /^e +ClusterIP +None +<none> +80\/TCP +\d+s +app=e$/,
    ];
    t.is(rows.length, forms.length);
    for (const [index, form] of forms.entries()) t.regex(rows[index] ?? '', form);
    const taken = await kubectl.run([
      'create',
      'service',
      'nodeport',
      'f',
      '--tcp=80',
      '--node-port=30080',
    ]);
    t.is(taken.code, 1);
    t.regex(
      taken.stderr,
      /Service "f" is invalid: spec\.ports\[0\]\.nodePort: Invalid value: 30080: provided port is already allocated/,
    );
  });

  test(`[k8s 20, 31, 84] kubectl ${minor} tries, is warned, and loses a race`, async (t) => {
    t.timeout(120_000);
    const kubectl = await start(t, path);
    await kubectl.ok(['create', 'service', 'clusterip', 'a', '--tcp=80']);
    const shown = ['-o', 'jsonpath={.spec.clusterIP}'];
    const dry = ['create', 'service', 'clusterip', 'b', '--tcp=80', '--dry-run=server', ...shown];
    t.is(await kubectl.ok(dry), '10.96.0.0');
    t.is((await kubectl.run(['get', 'svc', 'b'])).code, 1);
    const spec = '{"spec":{"externalName":"x.example"}}';
    const warned = await kubectl.run(['patch', 'svc', 'a', '--type=merge', '-p', spec]);
    t.is(warned.code, 0);
    t.regex(
      warned.stderr,
      /^Warning: spec\.externalName is ignored when spec\.type is not "ExternalName"$/m,
    );
    t.is(await kubectl.ok(['set', 'selector', 'svc', 'a', 'x=y']), 'service/a selector updated\n');
    const late = await kubectl.run(['set', 'selector', 'svc', 'a', 'x=z', '--resource-version=1']);
    t.is(late.code, 1);
    t.regex(late.stderr, /\(Conflict\): Operation cannot be fulfilled on services "a"/);
  });

  test(`[k8s 42] kubectl ${minor} describes what a load balancer listens on`, async (t) => {
    t.timeout(120_000);
    const kubectl = await start(t, path);
    await kubectl.ok(['create', 'service', 'loadbalancer', 'a', '--tcp=80']);
    const ingress =
      '{"status":{"loadBalancer":{"ingress":[{"ip":"1.2.3.4"},{"hostname":"b.example"}]}}}';
    await kubectl.ok(['patch', 'svc', 'a', '--subresource=status', '--type=merge', '-p', ingress]);
    const described = await kubectl.ok(['describe', 'svc', 'a']);
    // Up to 1.29 kubectl does not know the mode of an address.
    t.regex(described, /^LoadBalancer Ingress: +1\.2\.3\.4( \(VIP\))?, b\.example$/m);
    if (Number(minor.split('.')[1]) >= 32) t.true(described.includes('1.2.3.4 (VIP)'));
    t.regex(described, /^IP: +10\.96\./m);
    t.regex(described, /^NodePort: +<unset> |^NodePort: +80 /m);
  });
}

nameMissingKubectls(notFound, 'a Service’s life');
