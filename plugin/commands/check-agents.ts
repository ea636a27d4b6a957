// Asks the agent of each cluster what it answers its Pods for a Service, and judges the answer: a
// healthy shard of its own first, else one that is healthy elsewhere.
//
//   - Agents are asked by the coordinator, over their session: nobody dials into a cluster.

import type { Cluster } from '../../common/model/isthmus-kinds.ts';
import { describeError } from '../../common/runtime/log.ts';
import { isthmus, type Federation } from '../federation.ts';
import { conditionOf, listAt, textAt } from '../output.ts';
import type { Finding } from './check-lines.ts';
import type { DnsFacts } from './dns-facts.ts';

const agentsAtOnce = 8;
// One look: a federation has tens of clusters.
const agentsMax = 100;

export interface AgentAnswered {
  readonly cluster: Cluster;
  /** As in a DNSAnswerReview's status, or why it could not be asked. */
  readonly outcome: string;
  readonly code: string;
  readonly records: readonly { readonly type: string; readonly value: string }[];
}

export async function checkAgents(to: Federation, facts: DnsFacts): Promise<readonly Finding[]> {
  const federation = facts.records
    .find(({ spec }) => spec.level !== 'alias')
    ?.spec.dnsName.split('.')[2];
  if (federation === undefined) {
    const message = 'They were not asked: the Service has no name yet that tells the federation.';
    return [{ status: 'skip', check: 'agents', message }];
  }
  const name = `${facts.name}.${facts.namespace}.${federation}`;
  const found: Finding[] = [];
  const some = facts.clusters.slice(0, agentsMax);
  for (let at = 0; at < some.length; at += agentsAtOnce) {
    const part = some.slice(at, at + agentsAtOnce);
    const answers = await Promise.all(part.map((cluster) => askAgent(to, cluster, name)));
    found.push(...answers.map((answer) => judgeAgent(answer, name, facts)));
  }
  return found;
}

async function askAgent(to: Federation, cluster: Cluster, name: string): Promise<AgentAnswered> {
  const ask = async (type: 'A' | 'AAAA'): Promise<AgentAnswered> => {
    const review = await to.post(`${isthmus}/dnsanswerreviews`, {
      apiVersion: 'isthmus.dev/v1alpha1',
      kind: 'DNSAnswerReview',
      metadata: {},
      spec: { cluster: cluster.metadata.name, name, type },
    });
    const records = listAt(review, 'status', 'records').map((record) => {
      const at = (field: string): string => textAt(record as object, field); // of a list of objects
      return { type: at('type'), value: at('value') };
    });
    const [outcome, code] = [textAt(review, 'status', 'outcome'), textAt(review, 'status', 'code')];
    return { cluster, outcome, code, records };
  };
  try {
    const answer = await ask('A');
    const hasNone = answer.outcome === 'Answered' && answer.records.length === 0;
    return hasNone && answer.code === 'NOERROR' ? await ask('AAAA') : answer;
  } catch (error) {
    return { cluster, outcome: describeError(error), code: '', records: [] };
  }
}

const silences: Readonly<Record<string, string>> = {
  Away: 'Its agent is not connected, and answers Pods by what it was told last.',
  TooOld: 'Its agent is of before and cannot be asked; upgrade it.',
  Busy: 'Too many agents are asked at once; look again.',
  Silent: 'Its agent did not answer in time.',
  Unable: 'Its resolver has no answer yet: it has not been told of the federation.',
};

/** Pure. */
export function judgeAgent(
  { cluster, outcome, code, records }: AgentAnswered,
  name: string,
  { shards }: Pick<DnsFacts, 'shards'>,
): Finding {
  const own = cluster.metadata.name;
  const check = `agent in ${own}`;
  const wayOut = `kubectl describe cluster ${own}; then the log of its agent`;
  if (outcome !== 'Answered') {
    const isUnready = conditionOf(cluster, 'Ready')?.status !== 'True';
    const status = outcome === 'Unable' && !isUnready ? 'fail' : 'warn';
    return { status, check, message: silences[outcome] ?? outcome, wayOut };
  }
  const addresses = records
    .filter(({ type }) => type === 'A' || type === 'AAAA')
    .map(({ value }) => value);
  const [first] = records;
  const told = addresses.length > 0 ? addresses.join(', ') : (first?.value ?? code);
  const healthy = shards.filter(({ status }) => status.health === 'healthy');
  if (addresses.length === 0 && first === undefined) {
    const isWrong = healthy.length > 0;
    const message = `Pods that ask ${name} get ${code || 'nothing'}${isWrong ? ', though shards are healthy' : ''}.`;
    return { status: 'fail', check, message, wayOut };
  }
  const owners = shards.filter(({ status }) =>
    status.ingress.some((address) => addresses.includes(address)),
  );
  const places = owners.map(({ spec }) => spec.cluster);
  const isOwn = healthy.some(({ spec }) => spec.cluster === own) && owners.length === 0;
  const whose = isOwn ? 'its own shard' : places.join(', ') || 'an address of no known shard';
  const dead = owners.filter((shard) => !healthy.includes(shard));
  if (dead.length > 0 && dead.length === owners.length && healthy.length > 0) {
    const message = `Pods that ask ${name} get ${told} (${whose}), which is not healthy.`;
    return { status: 'fail', check, message, wayOut };
  }
  return { status: 'ok', check, message: `Pods that ask ${name} get ${told} (${whose}).` };
}
