// What the federation answers otherwise than a kube-apiserver on purpose. A decided difference
// that no longer happens fails the suite, so the list says what is true.

import type { Difference } from './compare.ts';

export interface Decided {
  /** What differs, for the page. */
  readonly what: string;
  readonly reason: string;
  /**
   * `<area>: <title>` of the steps in which it shows, `*` for any text. None: it shows nearly
   * everywhere, and normalise.ts sets it aside.
   */
  readonly steps: readonly string[];
  /** Places of the answer, such as `body.status` or `header.warning`; `*` as above. */
  readonly places: readonly string[];
  /** When given, what we answer there, as JSON; `*` as above. */
  readonly ours?: string;
}

export const decided: readonly Decided[] = [
  {
    what: 'A Service carries the finalizer isthmus.dev/shards from its creation on.',
    reason:
      'It keeps the Service until its names are gone and the removal of its shards is ordered, as ' +
      'service.kubernetes.io/load-balancer-cleanup does in a cluster with a cloud.',
    steps: [],
    places: [],
  },
  {
    what: 'Descriptions of the columns of tables are in our own words.',
    reason: 'Nobody parses them, and the texts are not copied.',
    steps: ['*'],
    places: ['*columnDefinitions[*].description'],
  },
  {
    what: 'Endpoints can be read but not written.',
    reason: 'They are computed from the shards of a Service and from what their clusters report.',
    steps: ['discovery: *'],
    places: ['body*.endpoints.verbs[*]'],
  },
  {
    what: 'Aggregated discovery is served as v2beta1 too.',
    reason: 'kubectl before 1.30 asks for nothing newer, and kube-apiserver 1.34 has dropped it.',
    steps: ['discovery: aggregated /api v2beta1*'],
    places: ['status'],
  },
  {
    what: 'OpenAPI v2 repeats the parameters of each operation and names no security scheme.',
    reason: 'kube-apiserver shares them to make its 2 MB smaller; both are the same description.',
    steps: ['discovery: OpenAPI v2*'],
    places: ['body.keys[*]'],
  },
  {
    what: 'OpenAPI v2 varies by Accept-Encoding only when it is compressed.',
    reason: 'The rule is the same for all of our answers.',
    steps: ['discovery: OpenAPI v2*'],
    places: ['header.vary'],
  },
  {
    what: 'A method that HTTP does not know is 400, not 405.',
    reason: 'The HTTP parser of Node refuses it before anybody could answer.',
    steps: ['discovery: a method that is none*'],
    places: ['status'],
  },
  {
    what: 'kubectl describe of a namespace says nothing of quotas and limits.',
    reason: 'ResourceQuota and LimitRange are about pods, and there are none.',
    steps: ['kubectl-read: describe the namespace*'],
    places: ['stdout'],
  },
  {
    what: 'A refused uid is not answered with the words of the store and its key.',
    reason: "Where an object is kept is nobody's business, and there is no etcd.",
    steps: ['update: *uid*', 'apply: *uid*'],
    places: ['body.message'],
  },
  {
    what: 'What a parser says of malformed YAML or of a malformed token is in its own words.',
    reason: 'Status, reason and the rest of the message are the same; the parser is another one.',
    steps: ['create: YAML tabs*', 'lists: junk token*'],
    places: ['body.message'],
  },
  {
    what: 'A watch asked for as PartialObjectMetadataList sends its events.',
    reason: 'kube-apiserver answers 200 and then sends nothing, which nobody can want.',
    steps: ['watches: as a partial list*'],
    places: ['events[*]'],
  },
  {
    what: 'A table without rows has an empty list of them.',
    reason: 'kube-apiserver writes null for some kinds and an empty list for others.',
    steps: ['tables: no *'],
    places: ['body.rows'],
  },
  {
    what: 'kubectl get all names Services without their kind.',
    reason: 'No other kind of the category all is served, and kubectl names a kind among others.',
    steps: ['kubectl-read: get all*'],
    places: ['stdout'],
  },
  {
    what: 'PUT to the status of a missing Service creates a whole one.',
    reason: 'kube-apiserver creates one without address and managers, which nobody can want.',
    steps: ['update: /status of a missing one*'],
    places: ['body.metadata.managedFields', 'body.spec.*'],
  },
  {
    what: 'YAML is folded and quoted in another way.',
    reason: 'It is the same document; the writer is another one.',
    steps: ['watches: as YAML*'],
    places: ['events[*]'],
  },
  {
    what: 'Answers are JSON or YAML, never protobuf, and the texts of 406 say so.',
    reason: 'Every client that likes protobuf lists JSON too.',
    steps: ['negotiation: *', 'watches: *'],
    places: ['body.message'],
    ours: '*application/json, application/yaml"',
  },
  {
    what: 'A body of a kind that nobody knows is refused with the words for a known other kind.',
    reason: 'It is 400 either way, and we know the names of no kinds but ours.',
    steps: ['create: unknown kind*'],
    places: ['body.message'],
  },
  {
    what: 'A patch that removes kind and apiVersion is taken without the removal.',
    reason: 'kube-apiserver refuses it for a name that is missing, which is not what was wrong.',
    steps: ['merge-patch: merge patch: no kind*'],
    places: ['status'],
  },
  {
    what: 'A watch takes no notice of continue.',
    reason: 'kube-apiserver blames resourceVersionMatch for it, which was not given.',
    steps: ['watches: with continue*'],
    places: ['status'],
  },
  {
    what: 'There is no namespace kube-public.',
    reason: 'What clusters publish in it for those who want to join is the join token here.',
    steps: ['namespaces: kube-public*'],
    places: ['status'],
  },
  {
    what: 'A delete whose body cannot be read is 400.',
    reason: "kube-apiserver answers 500 for what is the client's fault.",
    steps: [
      'deletes: a body of another kind*',
      'deletes: garbage*',
      'deletes: a policy as number*',
    ],
    places: ['status'],
  },
  {
    what: "Certificates and docker configurations in Secrets are not explained by Go's parsers.",
    reason: 'What is refused is the same; a TLS Secret is not warned of for what is no PEM.',
    steps: ['config: TLS*', 'config: dockerconfigjson*'],
    places: ['header.warning', 'body.message', 'body.details.causes[0].message'],
  },
  {
    what: 'A deleted Service is answered with a deletionTimestamp, and is gone a moment later.',
    reason: 'The finalizer isthmus.dev/shards holds it until the removal of its shards is ordered.',
    steps: ['deletes: *', 'watches: *'],
    places: ['*metadata.deletionTimestamp', '*metadata.deletionGracePeriodSeconds'],
    ours: '*',
  },
  {
    what: 'An object holds at most 5,000 values, a body in YAML 2,500 keys and values: beyond is 413.',
    reason:
      'Nobody may hold everybody up: working out who owns which field costs by their number, and ' +
      'the limit by bytes, 3 MiB, allows half a million of them. kubectl and Helm send JSON.',
    steps: ['config: very many keys*', 'config: it goes*'],
    places: ['*'],
  },
];

export function explains(
  { steps, places, ours }: Decided,
  { area, step, place, ours: answered }: Difference,
): boolean {
  return (
    steps.some((pattern) => matches(pattern, `${area}: ${step}`)) &&
    places.some((pattern) => matches(pattern, place)) &&
    (ours === undefined || matches(ours, JSON.stringify(answered) ?? ''))
  );
}

function matches(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, 's').test(text);
}
