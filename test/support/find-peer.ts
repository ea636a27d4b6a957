// Finds the tests' real peers, built by `npm run peers`. One that is missing is a skip that says
// why, also in CI: not every machine has Go or reaches the registry of its modules.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { peerFile, peers, peersCacheFolder, peersOnAsk } from '../peers/catalog.ts';

export type FoundPeer = { readonly path: string } | { readonly missing: string };

/**
 * The absolute path of a peer, by its name in test/peers/catalog.ts. Looks in KUBEBUILDER_ASSETS
 * first, as controller-runtime's envtest does, then in the cache folder.
 */
export function findPeer(name: string): FoundPeer {
  const peer = [...peers, ...peersOnAsk].find((each) => each.name === name);
  if (peer === undefined) return { missing: `no peer is named ${name}` };
  const assets = process.env['KUBEBUILDER_ASSETS'];
  const folder = peersCacheFolder(process.env);
  const paths = [
    ...(assets === undefined || assets === '' ? [] : [join(assets, name)]),
    join(folder, peerFile(peer)),
  ];
  const path = paths.find((each) => existsSync(each));
  return path === undefined ? { missing: `${name}: ${readReason(folder, name)}` } : { path };
}

/** The path of a peer that testWithPeers has asked for. Throws when it is missing all the same. */
export function peerPath(name: string): string {
  const found = findPeer(name);
  if ('path' in found) return found.path;
  throw new Error(found.missing);
}

function readReason(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, `${name}.reason`), 'utf8').trim();
  } catch {
    const isOnAsk = peersOnAsk.some((each) => each.name === name);
    return `not built, npm run peers ${isOnAsk ? `-- --only ${name} ` : ''}builds it`;
  }
}
