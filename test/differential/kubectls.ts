// The kubectls of the suite: the oldest and the newest of the range in CI, all of them on request.

import { findKubectls, type Kubectl } from '../support/programs.ts';
import { findPeer } from '../support/find-peer.ts';

const few = ['1.30', '1.33'];
const all = ['1.27', '1.28', '1.29', '1.30', '1.31', '1.32', '1.33'];

export function findSuiteKubectls(isEvery: boolean): readonly Kubectl[] {
  const found = findKubectls(isEvery ? all : few).found;
  if (!isEvery) return found;
  const newer = findPeer('kubectl');
  return 'path' in newer ? [...found, { minor: '1.34', path: newer.path }] : found;
}
