// A shard's bytes become a manifest here, and are checked once more after their way (STYLE 28).

import { splitServiceKey } from '../../common/model/ids.ts';
import type { Shard, ShardManifest } from '../../common/model/shard.ts';
import { contentHash } from '../../common/pure/digest.ts';
import type { Wish } from './plan.ts';

export type Decoded =
  | { readonly kind: 'wish'; readonly wish: Wish }
  | { readonly kind: 'invalid'; readonly message: string };

export function decodeShard(shard: Shard): Decoded {
  if (contentHash(shard.bytes) !== shard.hash) return invalid('the bytes do not match their hash');
  const text = Buffer.from(shard.bytes).toString('utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return invalid('the bytes are not JSON');
  }
  const manifest = value as Partial<ShardManifest> | null; // checked below
  const { namespace, name } = splitServiceKey(shard.key);
  if (manifest?.kind !== 'Service' || manifest.apiVersion !== 'v1')
    return invalid('not a v1 Service');
  if (manifest.metadata?.name !== name || manifest.metadata.namespace !== namespace) {
    return invalid('the manifest is of another Service than its key');
  }
  if (typeof manifest.spec !== 'object' || manifest.spec === null)
    return invalid('the manifest has no spec');
  return { kind: 'wish', wish: { hash: shard.hash, manifest: manifest as ShardManifest, text } };
}

function invalid(message: string): Decoded {
  return { kind: 'invalid', message };
}
