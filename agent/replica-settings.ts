// The settings about several replicas of one agent, and about what it may read of its cluster.

import { isIP } from 'node:net';
import type { Address, Setting, SettingValues } from '../common/runtime/settings.ts';
import type { AgentSettings } from './agent-ports.ts';
import type { SecretName } from './leader/kept-facts.ts';
import type { LeaseName } from './leader/lease.ts';

export const replicaSettings: readonly Setting[] = [
  {
    name: 'lease',
    kind: 'text',
    description:
      'NAMESPACE/NAME of a Lease: of all replicas with it, the one that holds it acts. Default: this process is the whole agent.',
  },
  {
    name: 'identity-secret',
    kind: 'text',
    description: 'NAMESPACE/NAME of the Secret that keeps the agent’s key for all replicas.',
  },
  {
    name: 'replica-listen',
    kind: 'address',
    default: '0.0.0.0:9081',
    description: 'Where the other replicas read our record (TLS, by the agent’s own key).',
  },
  {
    name: 'replica-address',
    kind: 'text',
    description: 'Address at which other replicas reach us: the Pod’s.',
  },
  {
    name: 'pod-uid',
    kind: 'text',
    description: 'uid of the Pod: a container that starts again takes its own Lease back at once.',
  },
];

export const scopeSettings: readonly Setting[] = [
  {
    name: 'read-scope',
    kind: 'choice',
    choices: ['cluster', 'allowed-namespaces'],
    default: 'cluster',
    description: 'Whether Services are read in the whole cluster or in --allowed-namespaces only.',
  },
  {
    name: 'read-nodes',
    kind: 'switch',
    default: 'true',
    description: 'Reads Nodes for zones, region and provider; false: declare them.',
  },
  {
    name: 'never-probe',
    kind: 'list',
    description:
      'Ranges (CIDR) of this cluster that no probe may go to, beside those of its Nodes.',
  },
  {
    name: 'address-preference',
    kind: 'list',
    description:
      'Ranges (CIDR), best first: of several outside addresses of a Service, those in the first range that has any are published. Default: public before private.',
  },
];

export interface ReplicaSettings {
  readonly lease: LeaseName;
  readonly secret: SecretName;
  readonly listen: Address;
  readonly address: string;
  readonly podUid: string | undefined;
}

/** undefined: this process is the whole agent. A text says what is wrong. */
export function toReplicaSettings(values: SettingValues): ReplicaSettings | undefined | string {
  const leaseText = values.text('lease');
  if (leaseText === undefined) {
    const lone = ['identity-secret', 'replica-address'].find(
      (name) => values.text(name) !== undefined,
    );
    return lone === undefined ? undefined : `--${lone} needs --lease`;
  }
  const lease = toNamespacedName(leaseText);
  if (lease === undefined) return `--lease: "${leaseText}" is not NAMESPACE/NAME`;
  const secretText = values.text('identity-secret') ?? '';
  const secret = toNamespacedName(secretText);
  if (secret === undefined) {
    return `--lease needs --identity-secret, as NAMESPACE/NAME; "${secretText}" is not that`;
  }
  const address = values.text('replica-address') ?? '';
  if (isIP(address) === 0) {
    return `--lease needs --replica-address: "${address}" is not an IP address`;
  }
  const listen = values.address('replica-listen') ?? { host: '0.0.0.0', port: 0 };
  return { lease, secret, listen, address, podUid: values.text('pod-uid') };
}

function toNamespacedName(text: string): LeaseName | undefined {
  const match = /^([a-z0-9][-a-z0-9]{0,62})\/([a-z0-9][-.a-z0-9]{0,252})$/.exec(text);
  const [, namespace, name] = match ?? [];
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}

type ReadSettings = Pick<
  AgentSettings,
  'neverProbe' | 'addressPreference' | 'readNamespaces' | 'readNodes'
>;

/** What may be read of the cluster. A text says what is wrong. */
export function toReadSettings(values: SettingValues): ReadSettings | string {
  for (const name of ['never-probe', 'address-preference']) {
    const odd = values.list(name).find((range) => !isRange(range));
    if (odd !== undefined) return `--${name}: "${odd}" is not a range such as 10.96.0.0/12`;
  }
  const neverProbe = values.list('never-probe');
  const addressPreference = values.list('address-preference');
  const common = { neverProbe, addressPreference, readNodes: values.isOn('read-nodes') };
  if (values.text('read-scope') !== 'allowed-namespaces') return common;
  const readNamespaces = values.list('allowed-namespaces');
  if (readNamespaces.length === 0) {
    return '--read-scope allowed-namespaces needs --allowed-namespaces';
  }
  const pattern = readNamespaces.find((name) => name.includes('*'));
  if (pattern !== undefined) {
    return `--read-scope allowed-namespaces needs namespaces by name: "${pattern}" is a pattern`;
  }
  return { ...common, readNamespaces };
}

function isRange(text: string): boolean {
  const [address = '', length = '', ...rest] = text.split('/');
  const bits = { 4: 32, 6: 128 }[isIP(address)];
  return (
    bits !== undefined && rest.length === 0 && /^\d{1,3}$/.test(length) && Number(length) <= bits
  );
}
