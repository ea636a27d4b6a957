// The federation's CA as it is replaced: what the record becomes. Pure.
//
//   single --rotate--> overlapping --retire--> single
//
//   Z1. The new CA signs at once; the former stays trusted until the overlap is over. Nobody has to
//       learn of the new one first: its key is also certified by the former (a link), so whoever
//       trusts either finds a chain.
//   Z2. One rotation at a time: a third CA would cut those off who know only the first.
//   Z3. The former is not retired while a connected cluster does not trust the new one, unless a
//       person insists. Clusters that are away come back by their key and one approval.
//   Z4. The former's private key goes with it; the links stay, a bounded number of them: they are
//       how an agent that was away for the whole overlap knows us.

import type { KeyPairPem } from '../../common/runtime/certificates.ts';

export interface AuthorityState {
  /** Signs. */
  readonly current: KeyPairPem;
  readonly former: FormerCa | undefined;
  /** The current key certified by the CA before, that one's by the one before it, and so on. */
  readonly links: readonly string[];
}

export interface FormerCa {
  readonly ca: KeyPairPem;
  /** RFC 3339 in UTC, to the second, as every time in here: they compare as texts. */
  readonly replacedAt: string;
  readonly retireAt: string;
}

export type AuthorityEvent =
  | {
      readonly kind: 'rotate';
      readonly next: KeyPairPem;
      /** The next key, certified by the current CA. */
      readonly link: string;
      readonly nowText: string;
      readonly retireAt: string;
    }
  | {
      readonly kind: 'retire';
      readonly nowText: string;
      /** By a person, before its time, or in spite of who is left behind. */
      readonly isAsked: boolean;
      readonly isForced: boolean;
      /** Connected clusters whose agents do not trust the current CA yet. */
      readonly behind: readonly string[];
    };

export type AuthorityStep =
  | { readonly kind: 'become'; readonly state: AuthorityState }
  | { readonly kind: 'stay' }
  | { readonly kind: 'refuse'; readonly message: string };

const linksMax = 3;

export function stepAuthority(state: AuthorityState, event: AuthorityEvent): AuthorityStep {
  const { current, former, links } = state;
  if (event.kind === 'rotate') {
    if (former !== undefined) {
      const message =
        `the last rotation is not over: the former CA is trusted until ${former.retireAt}. ` +
        'Wait, or retire it now: isthmus-coordinator keys ca retire';
      return { kind: 'refuse', message };
    }
    const { next, link, nowText, retireAt } = event;
    return {
      kind: 'become',
      state: {
        current: next,
        former: { ca: current, replacedAt: nowText, retireAt },
        links: [link, ...links].slice(0, linksMax),
      },
    };
  }
  if (former === undefined) {
    const message = 'there is no former CA: nothing to retire';
    return event.isAsked ? { kind: 'refuse', message } : { kind: 'stay' };
  }
  if (!event.isAsked && event.nowText < former.retireAt) return { kind: 'stay' };
  if (event.behind.length > 0 && !event.isForced) {
    const message =
      `these connected clusters do not trust the new CA yet: ${event.behind.join(', ')}. Upgrade ` +
      'their agents or look into their logs; --force retires the former CA all the same';
    return { kind: 'refuse', message };
  }
  return { kind: 'become', state: { current, former: undefined, links } };
}

/** What must hold of a step before it is written; undefined when it does. */
export function auditAuthority(before: AuthorityState, after: AuthorityState): string | undefined {
  const trusted = [after.current.certPem, after.former?.ca.certPem];
  const isRotation = after.current.certPem !== before.current.certPem;
  if (isRotation && !trusted.includes(before.current.certPem)) {
    return 'the CA that clusters trust now would be trusted no more';
  }
  if (isRotation && after.links.length === 0) return 'nothing leads from the former CA to the new';
  if (isRotation && before.former !== undefined) return 'a former CA would be forgotten unretired';
  if (after.current.certPem === after.former?.ca.certPem) return 'the former CA is the current one';
  return undefined;
}
