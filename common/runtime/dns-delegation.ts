// Looks at the delegation of a domain: first a resolver, then a server of the zone above, which alone
// knows what the world is told. Output: the facts that common/pure/delegation.ts judges.
//
//   - At most `questionsMax` questions, one after another: a look costs the same whatever it finds.

import type { DelegationFacts } from '../pure/delegation.ts';
import type { AnsweredRecord, DnsAnswer, RecordType } from '../pure/dns-question.ts';
import type { HostPort } from '../pure/host-port.ts';
import type { AskDns } from './dns-client.ts';

export interface DelegationLook {
  readonly ask: AskDns;
  readonly resolver: HostPort;
  readonly domain: string;
  readonly wanted: readonly string[];
  /** Port of authoritative servers; tests have none to spare. Default 53. */
  readonly serverPort?: number;
}

// A domain of eight labels, its parent, and two servers of that.
const questionsMax = 24;
const parentServersMax = 2;

export async function lookAtDelegation(look: DelegationLook): Promise<DelegationFacts> {
  const { domain, wanted } = look;
  const asking = createAsking(look);
  const child = await findCut(asking, domain);
  const facts = { domain, wanted, apex: child?.apex, child: child?.servers ?? [] };
  const above = child === undefined ? undefined : parentOf(child.apex);
  const upper = above === undefined ? undefined : await findCut(asking, above);
  if (child === undefined || upper === undefined) {
    return { ...facts, parent: undefined, atParent: [], silence: asking.silence() };
  }
  const atParent = await askParent(asking, { apex: child.apex, servers: upper.servers });
  return { ...facts, parent: upper.apex, atParent, silence: asking.silence() };
}

interface Asking {
  /** undefined: no answer, or no more questions. */
  resolve(name: string, type: RecordType): Promise<DnsAnswer | undefined>;
  askServer(address: string, name: string): Promise<DnsAnswer | undefined>;
  silence(): string | undefined;
}

function createAsking({ ask, resolver, serverPort = 53 }: DelegationLook): Asking {
  let left = questionsMax;
  let silence: string | undefined;
  const question = async (
    server: HostPort,
    what: { readonly name: string; readonly type: RecordType; readonly isRecursive: boolean },
  ): Promise<DnsAnswer | undefined> => {
    left -= 1;
    if (left < 0) return undefined;
    const asked = await ask({ server, ...what });
    if (asked.kind === 'answer') return asked.answer;
    silence = `${server.host} says nothing to ${what.type} of ${what.name} (${asked.message})`;
    return undefined;
  };
  return {
    resolve: (name, type) => question(resolver, { name, type, isRecursive: true }),
    askServer: (host, name) =>
      question({ host, port: serverPort }, { name, type: 'NS', isRecursive: false }),
    silence: () => silence,
  };
}

interface Cut {
  readonly apex: string;
  readonly servers: readonly string[];
}

/** The deepest zone at `name` or above it. */
async function findCut(asking: Asking, name: string): Promise<Cut | undefined> {
  for (let at: string | undefined = name; at !== undefined; at = parentOf(at)) {
    const answer = await asking.resolve(at, 'NS');
    if (answer === undefined) return undefined;
    const servers = serversOf(answer.answers, at);
    if (servers.length > 0) return { apex: at, servers };
  }
  return undefined;
}

async function askParent(asking: Asking, { apex, servers }: Cut): Promise<readonly string[]> {
  for (const server of servers.slice(0, parentServersMax)) {
    const found = await asking.resolve(server, 'A');
    const address = found?.answers.find(({ type }) => type === 'A')?.value;
    const answer = address === undefined ? undefined : await asking.askServer(address, apex);
    // A referral; of a server that keeps both zones, an answer.
    const told = serversOf([...(answer?.authority ?? []), ...(answer?.answers ?? [])], apex);
    if (told.length > 0) return told;
  }
  return [];
}

function serversOf(records: readonly AnsweredRecord[], name: string): readonly string[] {
  const found = records.filter((record) => record.type === 'NS' && record.name === name);
  return [...new Set(found.map(({ value }) => value))].sort();
}

/** undefined above a top-level domain: the root is nobody's to look at. */
function parentOf(name: string): string | undefined {
  const at = name.indexOf('.');
  return at < 0 ? undefined : name.slice(at + 1);
}
