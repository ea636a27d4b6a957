// ava's test for what needs a real peer: a missing one is a skip with the reason as its name.

import anyTest, { type TestFn } from 'ava';
import { findPeer } from './find-peer.ts';

/** ava's test when every peer is there, else a test that is skipped with the reason as its name. */
export function testWithPeers(...names: readonly string[]): TestFn {
  const missing = names.map(findPeer).flatMap((found) => ('missing' in found ? found.missing : []));
  if (missing.length === 0) return anyTest;
  const skip = (title: string) =>
    anyTest.skip(`${title} [missing peer ${missing.join('; ')}]`, (t) => t.pass());
  return Object.assign(skip, { serial: skip, skip }) as unknown as TestFn;
}
