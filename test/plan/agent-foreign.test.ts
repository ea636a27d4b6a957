// What a cluster has that is nobody's shard: told by hashes, whole when the coordinator knows
// something else, then changes; nothing that the guard keeps away, nothing to who does not ask.

import test from 'ava';
import { toServiceKey } from '../../common/model/ids.ts';
import type { ForeignChange } from '../../common/model/foreign.ts';
import type { KubeObject, Service } from '../../common/model/kube-object.ts';
import { ForeignSet } from '../../common/pure/foreign-services.ts';
import { shardOfMark } from '../../common/pure/shard-marks.ts';
import { createInformer } from '../../common/runtime/informer.ts';
import { silentLog } from '../../common/runtime/log.ts';
import type { KubeClient, WatchSink } from '../../common/runtime/kube-client.ts';
import { decodeAgentMessage, encodeAgentMessage } from '../../common/wire/mesh-codec.ts';
import { startForeignTeller } from '../../agent/shard/foreign-teller.ts';
import { createManualClock } from '../support/manual-clock.ts';

const keyOf = (text: string) => {
  const [namespace = '', name = ''] = text.split('/');
  return toServiceKey({ namespace, name });
};
const serviceOf = (text: string, annotations: Readonly<Record<string, string>> = {}): Service => {
  const [namespace = '', name = ''] = text.split('/');
  const metadata = { namespace, name, annotations };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: {} };
};

function startWorld(allowedNamespaces: readonly string[] = []) {
  const clock = createManualClock();
  const sinks: WatchSink[] = [];
  const kube = {
    watch: (_path: object, sink: WatchSink) => {
      sinks.push(sink);
      return { cancel: () => undefined };
    },
  } as unknown as KubeClient; // only watched
  const services = createInformer({
    kube,
    log: silentLog,
    path: { apiVersion: 'v1', plural: 'services' },
    pick: (object: KubeObject) => object as Service,
  });
  const told: ForeignChange[] = [];
  const coordinator = new ForeignSet();
  const listeners = new Set<() => void>();
  let welcome: { readonly session: number; readonly foreignDigest?: string } | undefined;
  const session = {
    isOpen: () => welcome !== undefined,
    welcome: () => welcome,
    onWelcome: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    tellForeign: (change: ForeignChange) => {
      told.push(change);
      // Over the wire.
      const message = decodeAgentMessage(encodeAgentMessage({ kind: 'foreign', ...change }));
      if (message.kind === 'foreign') coordinator.apply(message);
    },
  };
  startForeignTeller({ services, session, clock }, { allowedNamespaces, removalsPerMinute: 1 });
  return {
    clock,
    told,
    coordinator,
    list: (objects: readonly Service[]) => sinks[0]?.onList(objects),
    put: (service: Service) => sinks[0]?.onEvent('MODIFIED', service),
    drop: (service: Service) => sinks[0]?.onEvent('DELETED', service),
    open: (number: number, foreignDigest: string | undefined = coordinator.digest()) => {
      welcome = { session: number, foreignDigest };
      for (const listener of listeners) listener();
    },
    openOld: (number: number) => {
      welcome = { session: number };
      for (const listener of listeners) listener();
    },
  };
}

test('a coordinator knows which names are taken, as they come and go', async (t) => {
  const world = startWorld();
  world.open(1);
  world.list([
    serviceOf('shop/web'),
    serviceOf('shop/ours', { [shardOfMark]: 'fed' }),
    serviceOf('kube-system/dns'),
    serviceOf('default/kubernetes'),
  ]);
  const knows = (text: string): boolean => world.coordinator.has(keyOf(text));
  t.true(knows('shop/web'));
  for (const text of ['shop/ours', 'kube-system/dns', 'default/kubernetes', 'shop/other'])
    t.false(knows(text), text);
  t.is(world.told.length, 1);
  world.put(serviceOf('shop/mail'));
  world.put(serviceOf('shop/web', { [shardOfMark]: 'fed' })); // adopted
  await world.clock.advance(1_000);
  t.is(world.told.length, 2, 'one message for a second');
  t.true(knows('shop/mail'));
  t.false(knows('shop/web'));
  world.drop(serviceOf('shop/mail'));
  world.put(serviceOf('shop/mail'));
  await world.clock.advance(1_000);
  t.is(world.told.length, 2, 'what came to nothing is not told');
});

test('a return tells nothing when nothing changed, else all', async (t) => {
  const world = startWorld();
  world.list([serviceOf('shop/web')]);
  world.open(1);
  t.is(world.told.length, 1);
  world.open(2);
  t.is(world.told.length, 1);
  world.open(3, '0-0'); // a coordinator that started anew
  t.is(world.told.length, 2);
  t.true(world.told[1]?.isFull === true);
});

test('who does not ask is told nothing, and the guard’s namespaces alone are told of', async (t) => {
  const old = startWorld();
  old.list([serviceOf('shop/web')]);
  old.openOld(1);
  old.put(serviceOf('shop/mail'));
  await old.clock.advance(5_000);
  t.deepEqual(old.told, []);
  const guarded = startWorld(['shop']);
  guarded.list([serviceOf('shop/web'), serviceOf('secret/project')]);
  guarded.open(1);
  t.true(guarded.coordinator.has(keyOf('shop/web')));
  t.false(guarded.coordinator.has(keyOf('secret/project')));
});

test('I11: a set takes no more than its bound', (t) => {
  const set = new ForeignSet();
  const added = Array.from({ length: 30_000 }, (_, at) => at);
  set.apply({ added, removed: [], isFull: true });
  t.is(set.digest().split('-')[0], '20000');
});
