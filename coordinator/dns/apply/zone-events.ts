// What people are told of one zone's writing: on transitions that matter, once, and of a thousand
// Services at once only a few. The DNSZone itself is told of everything that is not one Service's.

import { isthmusApiVersion } from '../../../common/model/isthmus-kinds.ts';
import { splitServiceKey, toLogKey, type ServiceKey } from '../../../common/model/ids.ts';
import type { DnsZoneState, EventRecorder } from '../../../common/model/views.ts';
import type { Desired } from '../../desired/store.ts';
import { toWayOut } from './plan-fuse.ts';
import type { HeldPlan } from './zone-fuse.ts';
import type { Obstacle } from './plan-group.ts';

const servicesTold = 10;
const messageCharactersMax = 900;

export interface ZoneEventsOptions {
  readonly recorder: EventRecorder;
  readonly desired: Desired;
  readonly zone: () => DnsZoneState | undefined;
}

export class ZoneEvents {
  readonly #options: ZoneEventsOptions;
  readonly #told = new Map<ServiceKey, string>();
  #isFailing = false;

  constructor(options: ZoneEventsOptions) {
    this.#options = options;
  }

  obstacle(key: ServiceKey, { reason, message }: Obstacle): void {
    this.#once(key, reason, message);
  }

  refused(key: ServiceKey, message: string): void {
    this.#once(key, 'DNSRejected', message);
  }

  /** Nothing is in this Service's way any more: the next time is told again. */
  clear(key: ServiceKey): void {
    this.#told.delete(key);
  }

  held(plan: HeldPlan, services: Iterable<ServiceKey>): void {
    const text = `${plan.message} ${toWayOut(this.#options.zone()?.name ?? '', plan.hash)}`;
    this.#ofZone('Warning', 'DNSHeld', text);
    this.#some(services, 'DNSHeld', text);
  }

  released(): void {
    this.#ofZone('Normal', 'DNSReleased', 'Nothing is held any more.');
  }

  fenced(reason: string, message: string): void {
    this.#ofZone('Warning', reason, message);
  }

  failing(reason: string, message: string, services: Iterable<ServiceKey>): void {
    if (this.#isFailing) return;
    this.#isFailing = true;
    const text = `${reason}: ${message.replace(/\.$/, '')}. Published names stay as they are.`;
    this.#ofZone('Warning', 'DNSFailing', text);
    this.#some(services, 'DNSFailing', text);
  }

  reached(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#ofZone('Normal', 'DNSRecovered', 'The provider takes changes again.');
  }

  #some(services: Iterable<ServiceKey>, reason: string, message: string): void {
    let count = 0;
    for (const key of services) {
      if (count >= servicesTold) return;
      this.#ofService(key, reason, message);
      count += 1;
    }
  }

  #once(key: ServiceKey, reason: string, message: string): void {
    const text = `${reason} ${message}`;
    if (this.#told.get(key) === text) return;
    this.#told.set(key, text);
    this.#ofService(key, reason, message);
  }

  #ofService(key: ServiceKey, reason: string, message: string): void {
    const { recorder, desired, zone } = this.#options;
    const at = splitServiceKey(key);
    const uid = desired.get(toLogKey({ group: '', resource: 'services', ...at }))?.object.metadata
      .uid;
    const where = `In DNSZone ${zone()?.name ?? ''}: ${message}`;
    recorder.record({
      regarding: { apiVersion: 'v1', kind: 'Service', ...at, uid },
      type: 'Warning',
      reason,
      message: where.slice(0, messageCharactersMax),
    });
  }

  #ofZone(type: 'Normal' | 'Warning', reason: string, message: string): void {
    const zone = this.#options.zone();
    if (zone === undefined) return;
    this.#options.recorder.record({
      regarding: {
        apiVersion: isthmusApiVersion,
        kind: 'DNSZone',
        name: zone.name,
        uid: zone.uid,
      },
      type,
      reason,
      message: message.slice(0, messageCharactersMax),
    });
  }
}
