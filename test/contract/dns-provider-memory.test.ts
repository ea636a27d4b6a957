// The provider of the applier's tests and of the simulation is held to what real ones must do.

import test from 'ava';
import { keepProcessAlive, systemClock } from '../../common/runtime/clock.ts';
import { parseAddress } from '../../common/pure/address-rules.ts';
import type { ZoneRecordSet } from '../../coordinator/dns/provider/provider.ts';
import { createMemoryProvider, type ProviderFault } from '../support/dns/memory-provider.ts';
import { declareApplierContract } from './dns-apply.ts';
import { declareProviderContract, type ProviderSubject } from './dns-provider.ts';

declareProviderContract(test, 'memory', {
  openSubject: () => Promise.resolve(openSubject()),
  faults: ['throttle', 'hang', 'dropAnswerAfterApply', 'dropBeforeApply', 'denied'],
  weights: 'members',
  hasAlias: true,
});

declareApplierContract(test, 'applier in memory', {
  openSubject: () => Promise.resolve(openSubject()),
  faults: ['throttle', 'dropAnswerAfterApply', 'dropBeforeApply'],
});

function openSubject(): ProviderSubject {
  let next: ProviderFault | undefined;
  let lasting: ProviderFault | undefined;
  const alive = keepProcessAlive();
  const provider = createMemoryProvider({
    clock: systemClock,
    apex: 'zone.example',
    latencyMs: 1,
    propagationMs: 0,
    fault: (call) => {
      if (lasting !== undefined) return lasting;
      if (call !== 'apply') return undefined;
      const fault = next;
      next = undefined;
      return fault;
    },
  });
  return {
    provider,
    apex: 'zone.example',
    settle: () => Promise.resolve(),
    foreign: {
      put: (sets) => Promise.resolve(sets.forEach((set) => provider.put(toCanonical(set)))),
      remove: (sets) => Promise.resolve(sets.forEach((set) => provider.remove(toCanonical(set)))),
    },
    faults: {
      throttle: () => void (next = 'throttle'),
      hang: () => void (lasting = 'hang'),
      dropAnswerAfterApply: () => void (next = 'lostAfter'),
      dropBeforeApply: () => void (next = 'lostBefore'),
      denied: () => void (lasting = 'denied'),
    },
    dispose: () => {
      alive.cancel();
      return provider.close();
    },
  };
}

/** What a person wrote, as an adapter reads it. */
function toCanonical(set: ZoneRecordSet): ZoneRecordSet {
  const isText = set.type === 'TXT';
  const toValue = (value: string): string =>
    isText ? value : (parseAddress(value) ?? value.toLowerCase());
  return { ...set, name: set.name.toLowerCase(), values: set.values.map(toValue).sort() };
}
