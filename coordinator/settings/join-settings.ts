// The settings about joining: who approves, how long certificates live, how a CA is replaced.

import type { ApprovalMode } from '../../common/model/isthmus-kinds.ts';
import type { Setting, SettingValues } from '../../common/runtime/settings.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

export const joinSettings: readonly Setting[] = [
  {
    name: 'join-approval',
    kind: 'choice',
    choices: ['Automatic', 'Manual'],
    default: 'Automatic',
    description:
      'Manual: a cluster that joins waits for `kubectl isthmus approve`, unless its token says Automatic.',
  },
  {
    name: 'agent-certificate-hours',
    kind: 'number',
    default: '2160',
    min: 1,
    max: 8_760,
    description:
      'Life of agents’ certificates, renewed at two thirds; an agent off for longer needs an approval.',
  },
  {
    name: 'ca-overlap-days',
    kind: 'number',
    default: '30',
    min: 1,
    max: 365,
    description: 'How long the former CA stays trusted after `keys ca rotate`.',
  },
];

export function joinApprovalOf(settings: SettingValues): ApprovalMode {
  return settings.text('join-approval') === 'Manual' ? 'Manual' : 'Automatic';
}

export function certificateLifetimeMs(settings: SettingValues): number {
  return (settings.number('agent-certificate-hours') ?? 2_160) * hourMs;
}

export function caOverlapMs(settings: SettingValues): number {
  return (settings.number('ca-overlap-days') ?? 30) * dayMs;
}
