// What a person is told about placement: Events on the Service, each change once.

import { splitServiceKey, type ClusterName, type ServiceKey } from '../../common/model/ids.ts';
import type { Service } from '../../common/model/kube-object.ts';
import type { EventRecorder } from '../../common/model/views.ts';
import type { Log } from '../../common/runtime/log.ts';
import type { MovesPlan } from './plan-moves.ts';

export interface Refusal {
  readonly reason: string;
  readonly message: string;
}

// An Event's note is short; the clusters are all in the ServiceShards.
const namesMax = 10;

export class Announcer {
  readonly #recorder: EventRecorder;
  readonly #log: Log;
  /** Last refusal told per Service. */
  readonly #refusals = new Map<ServiceKey, string>();
  /** DNSZones of which it was told that they still have names of a Service that goes. */
  readonly #namesLeft = new Map<ServiceKey, string>();
  /** Moves of which it was told that they stall. */
  readonly #stalls = new Map<ServiceKey, string>();

  constructor(recorder: EventRecorder, log: Log) {
    this.#recorder = recorder;
    this.#log = log;
  }

  refusal(key: ServiceKey, service: Service | undefined, refusal: Refusal | undefined): void {
    const text = refusal === undefined ? undefined : `${refusal.reason}: ${refusal.message}`;
    if (this.#refusals.get(key) === text) return;
    if (text === undefined) {
      this.#refusals.delete(key);
      return;
    }
    this.#refusals.set(key, text);
    this.#log.warn('placement refused', { service: key, why: text });
    this.#record(key, service, { type: 'Warning', reason: 'PlacementRefused', message: text });
  }

  moves(
    key: ServiceKey,
    service: Service | undefined,
    moves: { readonly before: readonly ClusterName[]; readonly after: readonly ClusterName[] },
  ): void {
    const [before, after] = [new Set(moves.before), new Set(moves.after)];
    const came = moves.after.filter((cluster) => !before.has(cluster));
    const went = moves.before.filter((cluster) => !after.has(cluster));
    const tell = (reason: string, message: string): void =>
      this.#record(key, service, { type: 'Normal', reason, message });
    if (came.length > 0) tell('Placed', `Placed in ${listNames(came)}`);
    if (went.length > 0) tell('RemovedFromCluster', `Removed from ${listNames(went)}`);
  }

  /** A move that waits for longer than its policy's time is told once. */
  moving(key: ServiceKey, service: Service | undefined, { staying, stalled }: MovesPlan): void {
    if (stalled.length === 0) {
      this.#stalls.delete(key);
      return;
    }
    const text = stalled.join();
    if (this.#stalls.get(key) === text) return;
    this.#stalls.set(key, text);
    const awaits = new Set(stalled.flatMap((name) => staying.get(name)?.awaits ?? []));
    const whom = awaits.size === 0 ? 'any other shard' : listNames([...awaits].sort());
    const message =
      `${listNames(stalled)} keeps its shard: ${whom} has not become healthy. ` +
      'To go on without: set spec.move.strategy of the ServicePolicy to AtOnce';
    this.#record(key, service, { type: 'Warning', reason: 'MoveStalled', message });
  }

  /** A Service goes though providers still have names of it. */
  namesLeft(key: ServiceKey, service: Service | undefined, zones: readonly string[]): void {
    const text = zones.join(', ');
    if (text === '') {
      this.#namesLeft.delete(key);
      return;
    }
    if (this.#namesLeft.get(key) === text) return;
    this.#namesLeft.set(key, text);
    const what = zones.length === 1 ? 'DNSZone' : 'DNSZones';
    const message =
      `Its shards go, though its names still stand in ${what} ${text}: they are removed as soon ` +
      `as that can be written, and lead to nobody until then. See kubectl describe dnszone ${zones[0]}`;
    this.#record(key, service, { type: 'Warning', reason: 'NamesRemain', message });
  }

  #record(
    key: ServiceKey,
    service: Service | undefined,
    event: {
      readonly type: 'Normal' | 'Warning';
      readonly reason: string;
      readonly message: string;
    },
  ): void {
    const at = { apiVersion: 'v1', kind: 'Service', ...splitServiceKey(key) };
    this.#recorder.record({ regarding: { ...at, uid: service?.metadata.uid }, ...event });
  }
}

function listNames(names: readonly ClusterName[]): string {
  const more = names.length - namesMax;
  return more <= 0
    ? names.join(', ')
    : `${names.slice(0, namesMax).join(', ')} and ${more} more clusters`;
}
