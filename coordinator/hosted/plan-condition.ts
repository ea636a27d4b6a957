// The condition HostedAgent of a Cluster: how the agent is that the coordinator runs for it, in the
// words of somebody who can change it. Pure.

import type { Condition, KubeObject } from '../../common/model/kube-object.ts';
import type { ApiFault } from '../../common/wire/hosted-lines.ts';

export const hostedConditionType = 'HostedAgent';

export type HostedState =
  | { readonly kind: 'starting' }
  /** It runs; the API server has not said anything yet. */
  | { readonly kind: 'started' }
  | { readonly kind: 'good' }
  | { readonly kind: 'fault'; readonly fault: ApiFault }
  | { readonly kind: 'ended'; readonly how: string; readonly message: string }
  | { readonly kind: 'refused'; readonly agentsMax: number };

export function hasCondition({ status }: KubeObject): boolean {
  const { conditions = [] } = (status ?? {}) as { readonly conditions?: readonly Condition[] }; // a Cluster's
  return conditions.some(({ type }) => type === hostedConditionType);
}

type Said = Omit<Condition, 'lastTransitionTime' | 'observedGeneration'>;

// Long ones are a proxy's web page.
const faultCharactersMax = 600;

export function sayHosted(name: string, server: string, state: HostedState): Said {
  const say = (status: Condition['status'], reason: string, message: string): Said => ({
    type: hostedConditionType,
    status,
    reason,
    message,
  });
  const replace = `Give others with: kubectl isthmus join ${name} --kubeconfig FILE`;
  switch (state.kind) {
    case 'starting':
      return say('Unknown', 'Starting', 'The coordinator starts its agent.');
    case 'started':
      return say(
        'Unknown',
        'Connecting',
        `Its agent, run by the coordinator, connects to ${server}.`,
      );
    case 'good':
      return say('True', 'Running', `The coordinator runs its agent, which ${server} answers.`);
    case 'fault': {
      const { reason, text } = describeFault(state.fault, server);
      return say('False', reason, `${text} ${replace}`);
    }
    case 'ended': {
      const why = state.message === '' ? '' : `: ${state.message.slice(0, faultCharactersMax)}`;
      const text = `Its agent ended by ${state.how}${why}. It is started again, more and more slowly.`;
      return say('False', 'AgentEnded', text);
    }
    case 'refused':
      return say(
        'False',
        'TooManyHostedAgents',
        `The coordinator runs ${state.agentsMax} hosted agents already, which is its bound ` +
          '(--hosted-agents-max): raise it, or install an agent in the cluster ' +
          `(kubectl isthmus join ${name}).`,
      );
  }
}

function describeFault(
  { code, message }: ApiFault,
  server: string,
): { readonly reason: string; readonly text: string } {
  const detail = message.slice(0, faultCharactersMax);
  switch (code) {
    case 'KUBE_UNAUTHORIZED':
    case 'KUBE_CREDENTIALS':
      return {
        reason: 'CredentialsRefused',
        text: `${server} does not take the credentials: ${detail}.`,
      };
    case 'KUBE_FORBIDDEN':
      return {
        reason: 'RightsMissing',
        text: `The credentials lack a right in the cluster: ${detail}.`,
      };
    case 'KUBE_UNREACHABLE':
    case 'KUBE_TIMEOUT':
      return {
        reason: 'ApiUnreachable',
        text: `The coordinator cannot reach ${server}: ${detail}.`,
      };
    case 'KUBECONFIG_INVALID':
      return { reason: 'CredentialsInvalid', text: `The credentials cannot be used: ${detail}.` };
    default:
      return { reason: 'ApiFailing', text: `${server} answers with an error: ${detail}.` };
  }
}

/**
 * The conditions with this one in its place, or without it; the same list when nothing changes.
 * lastTransitionTime moves with the status only (API conventions).
 */
export function withHosted(
  conditions: readonly Condition[],
  said: Said | undefined,
  nowText: string,
): readonly Condition[] {
  const known = conditions.find(({ type }) => type === hostedConditionType);
  const others = conditions.filter(({ type }) => type !== hostedConditionType);
  if (said === undefined) return known === undefined ? conditions : others;
  const { status, reason, message } = said;
  const isSame = known?.status === status && known.reason === reason && known.message === message;
  if (isSame) return conditions;
  const since = known?.status === status ? known.lastTransitionTime : undefined;
  return [...others, { ...said, lastTransitionTime: since ?? nowText }];
}
