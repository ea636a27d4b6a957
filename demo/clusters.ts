// The four member clusters of the demo, and every address that it listens on. Data, and pure
// functions on it.

export interface MemberCluster {
  readonly name: string;
  readonly provider: string;
  readonly zone: string;
  readonly region: string;
  /** True: nodes carry no labels, so the agent's admin declares the place. */
  readonly isDeclared: boolean;
  /** 10.<octet>.0.0/16 inside. */
  readonly octet: number;
}

export const federation = 'myfederation';
export const domain = 'example.com';
export const federationContext = 'federation-cluster';

export const memberClusters: readonly MemberCluster[] = [
  {
    name: 'gce-us-central1-a',
    provider: 'gce',
    zone: 'us-central1-a',
    region: 'us-central1',
    isDeclared: false,
    octet: 63,
  },
  {
    name: 'gce-us-central1-f',
    provider: 'gce',
    zone: 'us-central1-f',
    region: 'us-central1',
    isDeclared: false,
    octet: 64,
  },
  {
    name: 'aws-us-east-1a',
    provider: 'aws',
    zone: 'us-east-1a',
    region: 'us-east-1',
    isDeclared: false,
    octet: 65,
  },
  {
    name: 'openstack-regionone',
    provider: 'openstack',
    zone: 'nova',
    region: 'regionone',
    isDeclared: true,
    octet: 66,
  },
];

export interface PortWish {
  readonly name: string;
  readonly what: string;
  readonly port: number;
  /** DNS answers on both. */
  readonly isUdpToo: boolean;
}

/** The documented ports, by name. */
export function defaultPorts(): readonly PortWish[] {
  const coordinator = [
    { name: 'api', what: 'Kubernetes API of the federation', port: 6443, isUdpToo: false },
    { name: 'mesh', what: 'mesh (agents)', port: 7443, isUdpToo: false },
    { name: 'nats', what: 'NATS', port: 4222, isUdpToo: false },
    { name: 'dns', what: 'DNS', port: 8053, isUdpToo: true },
    { name: 'admin', what: 'admin of the coordinator', port: 8080, isUdpToo: false },
  ];
  const members = memberClusters.flatMap(({ name }, index) => [
    { name: `${name}/api`, what: `Kubernetes API of ${name}`, port: 6501 + index, isUdpToo: false },
    { name: `${name}/resolver`, what: `resolver of ${name}`, port: 8101 + index, isUdpToo: true },
    {
      name: `${name}/admin`,
      what: `admin of the agent of ${name}`,
      port: 8201 + index,
      isUdpToo: false,
    },
  ]);
  return [...coordinator, ...members];
}

/** First three octets of a cluster's load balancers; `base` 11 gives the documented ones. */
export function loadBalancerPrefix(base: number, index: number): string {
  return `127.${base + index}.0`;
}

export const defaultLoadBalancerBase = 11;
