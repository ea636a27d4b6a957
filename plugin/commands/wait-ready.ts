// Waits until a cluster is Ready, and says what it waits for: the agent, a person, the API server.

import type { KubeObject } from '../../common/model/kube-object.ts';
import { systemClock as clock, type Timer } from '../../common/runtime/clock.ts';
import { exitFailed, exitOk, type Call } from '../command.ts';
import { conditionOf, formatAge, textAt } from '../output.ts';
import { describeWait } from './describe-wait.ts';

export interface Awaited {
  readonly cluster: string;
  /** Name of the JoinToken that its agent joins with; undefined when the coordinator runs it. */
  readonly token: string | undefined;
  readonly withinSeconds: number;
}

// Refusals are told as Events of the token, which few may watch: they are looked for now and then.
const eventsEveryMs = 3_000;

export async function waitUntilReady(call: Call, of: Awaited): Promise<number> {
  const { io, federation } = call;
  const startMs = clock.monotonicMs();
  const seen: { object: KubeObject | undefined; refusal: string } = {
    object: undefined,
    refusal: '',
  };
  const describe = (): string => describeWait({ name: of.cluster, token: of.token, ...seen });
  const timers = new Set<Timer>();
  const after = (ms: number, run: () => void): void => {
    const timer = clock.after(ms, () => {
      timers.delete(timer);
      run();
    });
    timers.add(timer);
  };
  const code = await new Promise<number>((resolve) => {
    const show = (): void => {
      if (conditionOf(seen.object, 'Ready')?.status === 'True') resolve(exitOk);
      else io.progress(describe());
    };
    const look = async (): Promise<void> => {
      // Who may not read Events waits without them.
      seen.refusal = (await lastRefusal(call, of.token).catch(() => undefined)) ?? '';
      show();
      after(eventsEveryMs, () => void look());
    };
    const handle = federation().watch(
      { apiVersion: 'isthmus.dev/v1alpha1', plural: 'clusters' },
      {
        onList: (all) => {
          seen.object = all.find(({ metadata }) => metadata.name === of.cluster);
          show();
        },
        onEvent: (type, object) => {
          if (object.metadata.name !== of.cluster) return;
          seen.object = type === 'DELETED' ? undefined : object;
          show();
        },
        onError: (error) => io.progress(`cannot look at the federation: ${error.message}`),
      },
    );
    if (of.token !== undefined) void look();
    after(of.withinSeconds * 1000, () => resolve(exitFailed));
    timers.add(handle);
  });
  for (const timer of timers) timer.cancel();
  const took = formatAge(clock.monotonicMs() - startMs);
  if (code === exitOk) io.out(`cluster.isthmus.dev/${of.cluster} is Ready after ${took}\n`);
  else io.say(`Not Ready after ${took}: ${describe()}`);
  return code;
}

/** Why the coordinator refused the newest use of the token. */
async function lastRefusal(
  { federation }: Call,
  token: string | undefined,
): Promise<string | undefined> {
  if (token === undefined) return undefined;
  const selector = encodeURIComponent(`involvedObject.kind=JoinToken,involvedObject.name=${token}`);
  const events = await federation().list(`/api/v1/events?fieldSelector=${selector}`);
  const newest = events
    .filter((event) => textAt(event, 'type') === 'Warning')
    .map((event) => ({ at: textAt(event, 'lastTimestamp'), text: textAt(event, 'message') }))
    .sort((a, b) => (a.at < b.at ? -1 : 1))
    .at(-1);
  return newest?.text;
}
