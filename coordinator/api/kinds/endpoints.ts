// v1 Endpoints and discovery.k8s.io/v1 EndpointSlice: where the pods, or at the federation the
// shards, of a Service are reached. Projected at the federation, written in a member cluster.

import type { JsonObject } from '../../../common/model/kube-object.ts';
import { isRecord, own, ownList, ownText } from '../machinery/schema/json-value.ts';
import type { KindDefinition } from '../machinery/kind.ts';
import { objectReference, objectSchema } from './common-schema.ts';
import { ageColumn, column, nameColumn } from './columns.ts';
import type { OwnPart } from './definition.ts';
import { flag, int32, kept, list, struct, text, textMap, texts } from './schema-parts.ts';

const port = struct(
  'EndpointPort',
  'One port that the endpoints serve.',
  {
    name: kept(text('Name of the port, as in the Service.')),
    protocol: kept(text('TCP, UDP or SCTP.')),
    port: kept(int32('Number of the port.')),
    appProtocol: kept(text('What is spoken on the port.')),
  },
  { protobuf: { name: 1, protocol: 2, port: 3, appProtocol: 4 } },
);

const endpoint = struct(
  'Endpoint',
  'One place that serves the Service.',
  {
    addresses: texts('Addresses of the endpoint; they are interchangeable.'),
    conditions: struct(
      'EndpointConditions',
      'Whether the endpoint may be used.',
      {
        ready: kept(flag('True when it takes new connections.')),
        serving: kept(flag('True when it answers, also while terminating.')),
        terminating: kept(flag('True when it is on its way out.')),
      },
      { protobuf: { ready: 1, serving: 2, terminating: 3 } },
    ),
    hostname: kept(text('Name of the endpoint within the Service.')),
    targetRef: objectReference,
    deprecatedTopology: textMap('Unused; kept for old clients.'),
    nodeName: kept(text('Node that the endpoint runs on.')),
    zone: kept(text('Zone that the endpoint is in.')),
    hints: struct(
      'EndpointHints',
      'Which clients should use it.',
      {
        forZones: list(
          'Zones whose clients should.',
          struct('ForZone', 'One zone.', { name: text('Name.') }, { protobuf: { name: 1 } }),
        ),
      },
      { protobuf: { forZones: 1 } },
    ),
  },
  {
    required: ['addresses'],
    protobuf: {
      addresses: 1,
      conditions: 2,
      hostname: 3,
      targetRef: 4,
      deprecatedTopology: 5,
      nodeName: 6,
      zone: 7,
      hints: 8,
    },
  },
);

const sliceDescription = 'Some of the endpoints of a Service.';

type Frame = (own: OwnPart) => KindDefinition;

/** `frame` says whether the kind is logged or projected. */
export function endpointSliceKind(frame: Frame): KindDefinition {
  return frame({
    group: 'discovery.k8s.io',
    version: 'v1',
    kind: 'EndpointSlice',
    plural: 'endpointslices',
    description: sliceDescription,
    schema: objectSchema(
      'EndpointSlice',
      sliceDescription,
      {
        addressType: text('What the addresses are.', ['FQDN', 'IPv4', 'IPv6']),
        endpoints: kept(list('The endpoints.', endpoint)),
        ports: kept(list('The ports that every endpoint serves.', port)),
      },
      {
        required: ['addressType', 'endpoints'],
        protobuf: { metadata: 1, endpoints: 2, ports: 3, addressType: 4 },
      },
    ),
    columns: [
      nameColumn,
      column('AddressType', 'What the addresses are.', (slice) => ownText(slice, 'addressType')),
      column('Ports', 'The ports served.', formatSlicePorts),
      column('Endpoints', 'The first addresses.', formatSliceEndpoints),
      ageColumn,
    ],
  });
}

const shownMax = 3;

function shorten(all: readonly string[], empty: string): string {
  if (all.length === 0) return empty;
  const rest = all.length - shownMax;
  return all.slice(0, shownMax).join(',') + (rest > 0 ? ` + ${rest} more...` : '');
}

function formatSlicePorts(slice: JsonObject): string {
  const ports = ownList(slice, 'ports').filter(isRecord);
  const shown = ports.map((entry) => String(own(entry, 'port') ?? own(entry, 'name') ?? '*'));
  return shorten(shown, '<unset>');
}

function formatSliceEndpoints(slice: JsonObject): string {
  const endpoints = ownList(slice, 'endpoints').filter(isRecord);
  return shorten(
    endpoints.flatMap((entry) => ownList(entry, 'addresses').map(String)),
    '<unset>',
  );
}

const address = struct(
  'EndpointAddress',
  'One address of an endpoint.',
  {
    ip: text('The address.'),
    hostname: text('Name of the endpoint within the Service.'),
    nodeName: kept(text('Node that the endpoint runs on.')),
    targetRef: objectReference,
  },
  { protobuf: { ip: 1, targetRef: 2, hostname: 3, nodeName: 4 } },
);

const subsetPort = struct(
  'EndpointPort',
  'One port that the endpoints serve.',
  {
    name: text('Name of the port, as in the Service.'),
    port: int32('Number of the port.'),
    protocol: text('TCP, UDP or SCTP.'),
    appProtocol: kept(text('What is spoken on the port.')),
  },
  { protobuf: { name: 1, port: 2, protocol: 3, appProtocol: 4 } },
);

const endpointsDescription = 'All the endpoints of a Service, in the older form.';

export function endpointsKind(frame: Frame): KindDefinition {
  return frame({
    version: 'v1',
    kind: 'Endpoints',
    plural: 'endpoints',
    singular: 'endpoints',
    shortNames: ['ep'],
    deprecation: 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
    description: endpointsDescription,
    schema: objectSchema(
      'Endpoints',
      endpointsDescription,
      {
        subsets: list(
          'Groups of addresses that serve the same ports.',
          struct(
            'EndpointSubset',
            'Addresses that serve the same ports.',
            {
              addresses: list('Addresses that take connections.', address),
              notReadyAddresses: list('Addresses that do not, yet or any more.', address),
              ports: list('The ports served.', subsetPort),
            },
            { protobuf: { addresses: 1, notReadyAddresses: 2, ports: 3 } },
          ),
        ),
      },
      { protobuf: { metadata: 1, subsets: 2 } },
    ),
    columns: [nameColumn, column('Endpoints', 'The first endpoints.', formatSubsets), ageColumn],
  });
}

function formatSubsets(endpoints: JsonObject): string {
  const subsets = ownList(endpoints, 'subsets').filter(isRecord);
  if (subsets.length === 0) return '<none>';
  const pairs = subsets.flatMap((subset) => {
    const hosts = ownList(subset, 'addresses').filter(isRecord);
    const ports = ownList(subset, 'ports').filter(isRecord);
    if (ports.length === 0) return hosts.map((host) => ownText(host, 'ip'));
    return ports.flatMap((entry) =>
      hosts.map((host) => joinHostPort(ownText(host, 'ip'), String(own(entry, 'port') ?? 0))),
    );
  });
  return shorten(pairs, '');
}

function joinHostPort(host: string, portNumber: string): string {
  return host.includes(':') ? `[${host}]:${portNumber}` : `${host}:${portNumber}`;
}
