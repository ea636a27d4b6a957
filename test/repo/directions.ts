// Who may import whom. Rules as data: the first that a file's import breaks is reported.

import { posix } from 'node:path';
import type { ImportOf } from './source-files.ts';

const portOfAllStages = 'coordinator/desired/store.ts';

// A vendor's SDK is imported by the adapters named after it, and nowhere else in the product.
const adapterOf: Readonly<Record<string, readonly string[]>> = {
  'google-auth-library': ['coordinator/dns/provider/cloud-dns-'],
  '@google-cloud/dns': [],
  '@aws-sdk/client-route-53': ['coordinator/dns/provider/route53'],
  '@aws-sdk/credential-providers': ['coordinator/dns/provider/route53'],
  '@grpc/grpc-js': ['coordinator/session/grpc-', 'agent/session/grpc-'],
  '@grpc/proto-loader': ['common/wire/'],
  protobufjs: ['common/wire/'],
  '@kubernetes/client-node': [],
  nats: ['common/runtime/nats-bus.ts'],
  lmdb: ['coordinator/desired/lmdb-', 'agent/session/lmdb-'],
  '@peculiar/x509': ['common/runtime/pki.ts'],
  'reflect-metadata': ['common/runtime/pki.ts'],
  pino: ['common/runtime/log.ts'],
  'pino-pretty': ['common/runtime/log.ts'],
  'prom-client': ['common/runtime/metrics.ts'],
  jose: ['coordinator/api/access/oidc.ts'],
};

const pureFile = /\/(plan|audit|step|fold)(-[a-z0-9-]+)?\.ts$|^common\/(pure|model)\//;
const pureBuiltins = new Set(['node:crypto', 'node:buffer', 'node:net']);

/** Why this import is not allowed, or undefined. */
export function findDirectionFault({ from, specifier, isTypeOnly }: ImportOf): string | undefined {
  if (!specifier.startsWith('.')) return findPackageFault(from, specifier);
  const to = posix.normalize(posix.join(posix.dirname(from), specifier));
  if (!to.endsWith('.ts')) return `${from}: import ${specifier} by its .ts name`;
  const [fromTop, toTop] = [topOf(from), topOf(to)];
  if (fromTop === 'test') return undefined;
  const say = (rule: string): string => `${from} imports ${to}: ${rule}`;
  // A bench measures beside the peers that tests start.
  const isBenchOfPeers = fromTop === 'bench' && to.startsWith('test/support/');
  if (toTop === 'test' && !isBenchOfPeers) return say('nothing imports test');
  if (toTop === 'demo' && fromTop !== 'demo' && fromTop !== 'bench')
    return say('the product knows no demo');
  if (fromTop === 'common' && toTop !== 'common') return say('common imports only common');
  if (fromTop === 'plugin' && toTop !== 'plugin' && toTop !== 'common')
    return say('the plugin knows the API, not its server');
  if (fromTop === 'coordinator' && toTop === 'agent')
    return say('coordinator and agent never meet');
  if (fromTop === 'agent' && toTop === 'coordinator')
    return say('coordinator and agent never meet');
  if (from.startsWith('common/model/') && !to.startsWith('common/model/')) {
    return say('the model imports nothing outside itself');
  }
  if (from.startsWith('common/pure/') && !/^common\/(pure|model)\//.test(to)) {
    return say('pure imports only pure and model');
  }
  const [fromStage, toStage] = [stageOf(from), stageOf(to)];
  if (
    fromStage !== undefined &&
    toStage !== undefined &&
    fromStage !== toStage &&
    to !== portOfAllStages
  ) {
    return say('a stage imports no other stage but the port coordinator/desired/store.ts');
  }
  if (
    pureFile.test(from) &&
    !isTypeOnly &&
    /\/(loop|[a-z0-9]+-(store|bus|http|listener|dialer))\.ts$/.test(to)
  ) {
    return say('a pure file imports only pure files');
  }
  if (pureFile.test(from) && !isTypeOnly && to.startsWith('common/runtime/')) {
    return say('a pure file knows no clock, log or I/O');
  }
  return undefined;
}

function findPackageFault(from: string, specifier: string): string | undefined {
  if (topOf(from) === 'test' || topOf(from) === 'bench') return undefined;
  const allowed = adapterOf[specifier];
  if (
    allowed !== undefined &&
    topOf(from) !== 'demo' &&
    !allowed.some((prefix) => from.startsWith(prefix))
  ) {
    return `${from} imports ${specifier}: only ${allowed.join(', ')} may`;
  }
  if (pureFile.test(from) && specifier.startsWith('node:') && !pureBuiltins.has(specifier)) {
    return `${from} imports ${specifier}: a pure file does no I/O`;
  }
  return undefined;
}

function topOf(path: string): string {
  return path.split('/', 1)[0] ?? '';
}

// Of the coordinator's process, beside its stages.
const wiringRooms = new Set(['admission', 'settings', 'trust', 'users']);

/** `coordinator/dns` for files inside a stage's folder. */
function stageOf(path: string): string | undefined {
  const [top, stage, ...rest] = path.split('/');
  const isRoom = top === 'coordinator' && wiringRooms.has(stage ?? '');
  return (top === 'coordinator' || top === 'agent') && rest.length > 0 && !isRoom
    ? `${top}/${stage}`
    : undefined;
}
