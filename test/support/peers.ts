// ava's test for what needs a real peer: a missing one is a skip with the reason as its name.

import { execFileSync } from 'node:child_process';
import anyTest, { type TestFn } from 'ava';
import { findPeer } from './find-peer.ts';

/** ava's test when every peer is there, else a test that is skipped with the reason as its name. */
export function testWithPeers(...names: readonly string[]): TestFn {
  const missing = names.map(findPeer).flatMap((found) => ('missing' in found ? found.missing : []));
  return missing.length === 0 ? anyTest : skipping(`missing peer ${missing.join('; ')}`);
}

/** As testWithPeers, of what no newer minor version of Kubernetes 1 can show. */
export function testUpToKubernetes(minorMax: number, ...names: readonly string[]): TestFn {
  const test = testWithPeers('kube-apiserver', ...names);
  if (test !== anyTest) return test;
  const version = kubernetesVersion('kube-apiserver');
  const isNewer = Number(version.split('.')[1]) > minorMax;
  return isNewer ? skipping(`Kubernetes ${version} is newer than 1.${minorMax}`) : test;
}

function skipping(reason: string): TestFn {
  const skip = (title: string) => anyTest.skip(`${title} [${reason}]`, (t) => t.pass());
  return Object.assign(skip, { serial: skip, skip }) as unknown as TestFn;
}

/** What the Kubernetes program that tests would start says of itself, such as `v1.34.4`. */
export function kubernetesVersion(name: string): string {
  const found = findPeer(name);
  if ('missing' in found) throw new Error(found.missing);
  const told = execFileSync(found.path, ['--version'], { encoding: 'utf8' });
  return /v\d+\.\d+\.\S+/.exec(told)?.[0] ?? told;
}
