// I2. An agent never applies a view older than one that it has applied, and a shard leaves a
// cluster only by a removal order that stands in the log: absence, silence and restarts take
// nothing away.

import { toLogKey, type LogKey, type Revision } from '../../../common/model/ids.ts';
import { isthmusGroup } from '../../../common/model/isthmus-kinds.ts';
import type { KubeObject } from '../../../common/model/kube-object.ts';
import type { RemovalOrder } from '../../../common/model/shard.ts';
import { federationOf } from '../../../common/pure/shard-marks.ts';
import type { Clock } from '../../../common/runtime/clock.ts';
import type { RecordChange } from '../../../agent/session/record.ts';
import type { ViewEvent } from '../../../coordinator/desired/store.ts';
import { federation } from '../sim-coordinator.ts';
import type { Blame, Checker } from './checker.ts';

/** A call to the API server that began under an order may end this long after the order did. */
const callMs = 15_000;

interface Held {
  readonly order: RemovalOrder;
  /** Undefined while the agent holds it. */
  untilMs: number | undefined;
}

export interface OrdersChecker extends Checker {
  /** An admin is about to delete this Service by hand. */
  noteHandDelete(cluster: string, uid: string): void;
}

export function createOrdersChecker(clock: Clock, blame: Blame): OrdersChecker {
  const views = new Map<string, Revision>();
  const held = new Map<string, Held[]>();
  const issued = new Map<LogKey, Map<Revision, string>>();
  const byHand = new Set<string>();

  const onCommit = (cluster: string, changes: readonly RecordChange[]): void => {
    for (const { table, key, value } of changes) {
      if (table === 'facts' && key === 'viewRevision') noteView(cluster, value as Revision);
      if (table === 'orders') noteOrder(cluster, key, value as RemovalOrder | undefined);
    }
  };

  const noteView = (cluster: string, revision: Revision): void => {
    const before = views.get(cluster);
    if (before !== undefined && revision < before) {
      blame(`${cluster} applied view ${revision} after view ${before}`);
    }
    views.set(cluster, revision);
  };

  const noteOrder = (cluster: string, key: string, order: RemovalOrder | undefined): void => {
    const at = `${cluster} ${key}`;
    const all = (held.get(at) ?? []).filter(
      ({ untilMs = Infinity }) => untilMs >= clock.monotonicMs() - callMs,
    );
    for (const one of all) one.untilMs ??= clock.monotonicMs();
    if (order !== undefined) all.push({ order, untilMs: undefined });
    held.set(at, all);
  };

  const isOrdered = (cluster: string, service: KubeObject, mode: RemovalOrder['mode']): boolean => {
    const { namespace = '', name } = service.metadata;
    const orderKey = toLogKey({
      group: isthmusGroup,
      resource: 'removalorders',
      namespace,
      name: `${name}.${cluster}`,
    });
    return (held.get(`${cluster} ${namespace}/${name}`) ?? []).some(
      ({ order, untilMs = Infinity }) =>
        order.mode === mode &&
        untilMs >= clock.monotonicMs() - callMs &&
        issued.get(orderKey)?.get(order.revision) === mode,
    );
  };

  const onMember = (cluster: string, { kind, current, previous }: ViewEvent): void => {
    if (!current.key.startsWith('core/services/')) return;
    const before = previous?.object;
    if (before === undefined || federationOf(before) !== federation) return;
    const { uid = '', name } = before.metadata;
    if (kind === 'deleted') {
      if (byHand.has(`${cluster} ${uid}`) || isOrdered(cluster, before, 'delete')) return;
      blame(`the shard ${name} left ${cluster} without an order`);
    } else if (federationOf(current.object) !== federation) {
      if (!isOrdered(cluster, before, 'release')) {
        blame(`the shard ${name} was released in ${cluster} without an order`);
      }
    }
  };

  return {
    invariant: 'I2',
    noteHandDelete: (cluster, uid) => void byHand.add(`${cluster} ${uid}`),
    onWritten: ({ resource, key, revision, isDelete, object }) => {
      if (resource !== 'removalorders' || isDelete) return;
      const { mode } = object.spec as { readonly mode: string };
      const orders = issued.get(key) ?? new Map<Revision, string>();
      issued.set(key, orders.set(revision, mode));
    },
    onCommit,
    onMember,
  };
}
