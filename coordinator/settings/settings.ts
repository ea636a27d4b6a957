// The coordinator's settings: one table for flags, environment, YAML and help.

import { checkDnsSettings, dnsSettings } from './dns-settings.ts';
import {
  processSettings,
  type Program,
  type Setting,
  type SettingValues,
} from '../../common/runtime/settings.ts';
import { checkNatsSettings, natsSettings } from './nats-settings.ts';
import { isDnsLabel } from '../../common/model/ids.ts';
import { joinSettings } from './join-settings.ts';
import { checkUserSettings, userSettings } from './user-settings.ts';
import {
  defaultAddressRange,
  defaultPortRange,
  parsePoolRanges,
} from '../api/allocation/pool-ranges.ts';

const settings: readonly Setting[] = [
  {
    name: 'data-dir',
    kind: 'text',
    default: './isthmus-data',
    description: 'Folder of all state: log, keys, nats.',
  },
  {
    name: 'encryption-key-file',
    kind: 'text',
    description:
      'File of the keys that seal secrets in the data dir; made at the first start. Default: the data dir’s path with .key added.',
  },
  {
    name: 'federation',
    kind: 'text',
    default: 'myfederation',
    description: 'Name of the federation, a DNS label.',
  },
  {
    name: 'domain',
    kind: 'text',
    default: 'example.com',
    description: 'DNS domain under which Services get names.',
  },
  {
    name: 'api-listen',
    kind: 'address',
    default: '127.0.0.1:6443',
    description: 'Kubernetes API (HTTPS).',
  },
  {
    name: 'mesh-listen',
    kind: 'address',
    default: '127.0.0.1:7443',
    description: 'Agents (gRPC over mTLS).',
  },
  {
    name: 'nats-listen',
    kind: 'address',
    default: '127.0.0.1:4222',
    description: 'Own nats-server (TLS).',
  },
  ...dnsSettings,
  {
    name: 'dns-resolver',
    kind: 'address',
    description:
      "Resolver that is asked whether zones are delegated. Default: the system's first one.",
  },
  {
    name: 'dns-owner-id',
    kind: 'text',
    description:
      'Name of this federation’s coordinator in its marks at DNS providers; another coordinator must have another one. Default: the identity of the store.',
  },
  {
    name: 'admin-listen',
    kind: 'address',
    default: '127.0.0.1:8080',
    description: 'Health and metrics (HTTP).',
  },
  {
    name: 'advertise',
    kind: 'list',
    description: 'Names and addresses that agents and kubectl reach us by, for certificates.',
  },
  ...natsSettings,
  ...joinSettings,
  ...userSettings,
  {
    name: 'api-tls-cert',
    kind: 'text',
    description:
      'PEM file of a server certificate for the API, with its chain, instead of one of our own CA; read again hourly and on SIGHUP.',
  },
  {
    name: 'api-tls-key',
    kind: 'text',
    description: 'PEM file of the key of --api-tls-cert.',
  },
  {
    name: 'max-requests-inflight',
    kind: 'number',
    default: '400',
    min: 1,
    max: 100_000,
    description: 'API requests that only read, served at once; one user has at most half of them.',
  },
  {
    name: 'max-mutating-requests-inflight',
    kind: 'number',
    default: '200',
    min: 1,
    max: 100_000,
    description: 'API requests that write, served at once; one user has at most half of them.',
  },
  {
    name: 'request-timeout-seconds',
    kind: 'number',
    default: '60',
    min: 1,
    max: 3_600,
    description: 'The longest time of an API request that is no watch.',
  },
  {
    name: 'max-connections',
    kind: 'number',
    default: '5000',
    min: 1,
    max: 1_000_000,
    description: 'Connections to the API that are open at once.',
  },
  {
    name: 'hosted-agents-max',
    kind: 'number',
    default: '20',
    min: 0,
    max: 1_000,
    description: 'Agents run here for clusters whose credentials we hold, about 90 MiB each.',
  },
  {
    name: 'hosted-exec-commands',
    kind: 'list',
    description:
      'Commands that kubeconfigs of hosted clusters may run on this host, as they name them, such as aws,gke-gcloud-auth-plugin: with any arguments, and with what this process may do. Default: none.',
  },
  {
    name: 'ttl-seconds',
    kind: 'number',
    default: '60',
    min: 1,
    max: 86_400,
    description: 'TTL of published records.',
  },
  {
    name: 'allow-loopback',
    kind: 'switch',
    default: 'false',
    description: 'Publish and probe loopback addresses: demo and tests only.',
  },
  {
    name: 'service-cluster-ip-range',
    kind: 'text',
    default: defaultAddressRange,
    description:
      'Virtual addresses of Services at the federation, one range or one of each family with a comma; none for no addresses. Clusters never see them.',
  },
  {
    name: 'service-node-port-range',
    kind: 'text',
    default: defaultPortRange,
    description: 'Virtual node ports of Services at the federation. Clusters never see them.',
  },
  ...processSettings,
];

export function coordinatorProgram(version: string): Program {
  return {
    name: 'isthmus-coordinator',
    summary: 'federates Kubernetes Services: API, agents and DNS of one federation.',
    version,
    settings,
  };
}

const domainPattern =
  /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$/;

/** What the table's kinds cannot say; undefined when all is well. */
export function checkCoordinatorSettings(values: SettingValues): string | undefined {
  const federation = values.text('federation') ?? '';
  if (!isDnsLabel(federation)) {
    return `--federation: "${federation}" is not a DNS label (a-z, 0-9 and -, at most 63 characters)`;
  }
  if ((values.text('api-tls-cert') === undefined) !== (values.text('api-tls-key') === undefined)) {
    return '--api-tls-cert and --api-tls-key go together: give both or none';
  }
  const domain = values.text('domain') ?? '';
  if (!domainPattern.test(domain)) {
    return `--domain: "${domain}" is not a lower-case DNS name without a trailing dot, such as example.com`;
  }
  const ownerId = values.text('dns-owner-id');
  if (ownerId !== undefined && !/^[\w.:/@+-]{1,63}$/.test(ownerId)) {
    return `--dns-owner-id: "${ownerId}" has to be 1 to 63 letters, digits and . : / @ + - _`;
  }
  const wrong = checkNatsSettings(values) ?? checkDnsSettings(values);
  if (wrong !== undefined) return wrong;
  const ranges = parsePoolRanges(poolTexts(values));
  return typeof ranges === 'string' ? `--${ranges}` : checkUserSettings(values);
}

/** The ranges' settings as parsePoolRanges takes them. */
export function poolTexts(values: SettingValues) {
  return {
    addresses: values.text('service-cluster-ip-range'),
    ports: values.text('service-node-port-range'),
  };
}
