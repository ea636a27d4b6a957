// isthmus.dev/v1alpha1 DNSAnswerReview: a question, answered and never stored. What does the agent of a
// cluster answer its Pods for a name?
//
//   POST /apis/isthmus.dev/v1alpha1/dnsanswerreviews
//   {"spec":{"cluster":"one","name":"nginx.default.myfederation","type":"A"}}

import { toClusterName, type ClusterName } from '../../../../common/model/ids.ts';
import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { AgentAnswer } from '../../../../common/model/views.ts';
import {
  encodeQuestion,
  nameRcode,
  parseAnswer,
  type DnsQuestion,
} from '../../../../common/pure/dns-question.ts';
import type { FieldError, KindDefinition } from '../../machinery/kind.ts';
import { invalid, notFound } from '../../machinery/answer/status-error.ts';
import { ownRecord, ownText, toJsonObject } from '../../machinery/schema/json-value.ts';
import { objectSchema } from '../common-schema.ts';
import { reviewKind } from '../definition.ts';
import { int32, kept, list, struct, text } from '../schema-parts.ts';

const description = 'Asks what the agent of a cluster answers its Pods for a name.';
const types = ['A', 'AAAA', 'CNAME', 'SRV'] as const;

const schema = objectSchema('DNSAnswerReview', description, {
  spec: struct('DNSAnswerReviewSpec', 'The question.', {
    cluster: text('Name of the cluster.'),
    name: text('The name, as a Pod asks it.'),
    type: text('Type of the records. Default A.', types),
  }),
  status: struct('DNSAnswerReviewStatus', 'The answer.', {
    outcome: text(
      'Answered: the agent did. Away: no agent of the cluster is connected here. TooOld: it cannot be ' +
        'asked. Busy: too many are asked at once. Silent: it did not answer in time. Unable: its ' +
        'resolver gave none.',
      ['Answered', 'Away', 'TooOld', 'Busy', 'Silent', 'Unable'],
    ),
    code: text('NOERROR, NXDOMAIN or another code of DNS.'),
    records: list(
      'The answer, in its order.',
      struct('AnsweredRecord', 'One record of the answer.', {
        name: text('The name, without a trailing dot.'),
        type: text('Its type.'),
        ttlSeconds: kept(int32('Seconds that it may be kept.')),
        value: text('Address, name, or data of a service record.'),
      }),
    ),
  }),
});

export function dnsAnswerReviewKind(
  ask: (cluster: ClusterName, message: Uint8Array) => Promise<AgentAnswer>,
): KindDefinition {
  return reviewKind({
    kind: 'DNSAnswerReview',
    plural: 'dnsanswerreviews',
    description,
    schema,
    answerCreate: async (review, { read }) => {
      const spec = ownRecord(toJsonObject(review), 'spec');
      const [cluster, name] = [ownText(spec, 'cluster'), ownText(spec, 'name')];
      const type = types.find((each) => each === (ownText(spec, 'type') || 'A'));
      if (type === undefined) throw refuse('spec.type', ownText(spec, 'type'), types.join(', '));
      if (read({ group: 'isthmus.dev', resource: 'clusters', name: cluster }) === undefined) {
        throw notFound({ group: 'isthmus.dev', resource: 'clusters', name: cluster });
      }
      // The id is of no use here: the session has its own.
      const question: DnsQuestion = { name, type, id: 0, isRecursive: true };
      const message = encodeQuestion(question);
      if (name === '' || message === undefined) throw refuse('spec.name', name, 'a name of DNS');
      const status = toStatus(await ask(toClusterName(cluster), message), question);
      return { ...review, status } as KubeObject; // by its schema
    },
  });
}

function refuse(field: string, value: string, wanted: string): Error {
  const message = `Invalid value: ${JSON.stringify(value)}: must be ${wanted}`;
  const error: FieldError = { field, reason: 'FieldValueInvalid', message };
  return invalid({ group: 'isthmus.dev', kind: 'DNSAnswerReview', name: '', errors: [error] });
}

const outcomes = {
  away: 'Away',
  tooOld: 'TooOld',
  busy: 'Busy',
  silent: 'Silent',
  unable: 'Unable',
} as const;

function toStatus(answer: AgentAnswer, question: DnsQuestion): object {
  if (answer.kind !== 'answer') return { outcome: outcomes[answer.kind] };
  const read = parseAnswer(answer.message, question);
  if (read === undefined) return { outcome: 'Unable' };
  const records = read.answers;
  return {
    outcome: 'Answered',
    code: nameRcode(read.rcode),
    ...(records.length === 0 ? {} : { records }),
  };
}
