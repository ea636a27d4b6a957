// A Pod's life in a simulated cluster. Pure. It is scheduled at once, runs and is ready shortly
// after; from then on the annotation `demo.isthmus.dev/ready` decides about readiness, and where
// there is none the status is left as it is, so that a patch of the status subresource stays.

import type { Pod, PodCondition } from './shapes.ts';

export const readyAnnotation = 'demo.isthmus.dev/ready';

// Marks a condition as our own doing, so that taking the annotation away undoes it.
const annotationReason = 'DemoAnnotation';

/** How long a container takes to start: long enough to be seen, well below a second. */
export const startMs = 300;

export interface PodFacts {
  /** RFC 3339. */
  readonly now: string;
  readonly nodeName: string;
  readonly hostIp: string;
  /** A free address for a Pod that has none; undefined when the range is used up. */
  readonly podIp: string | undefined;
}

export type PodPlan =
  | { readonly kind: 'keep' }
  | { readonly kind: 'write'; readonly pod: Pod; readonly againAfterMs?: number };

export function planPod(pod: Pod, facts: PodFacts): PodPlan {
  if (pod.spec.nodeName === undefined)
    return { kind: 'write', pod: schedule(pod, facts), againAfterMs: startMs };
  if (pod.status?.phase !== 'Running') return { kind: 'write', pod: start(pod, facts) };
  const wanted = wantedReadiness(pod);
  const ready = readyOf(pod);
  if (wanted === undefined || wanted.status === ready?.status) return { kind: 'keep' };
  return { kind: 'write', pod: withReady(pod, wanted, facts.now) };
}

function schedule(pod: Pod, facts: PodFacts): Pod {
  const scheduled = toCondition('PodScheduled', 'True', '', facts.now);
  return {
    ...pod,
    spec: { ...pod.spec, nodeName: facts.nodeName },
    status: { ...pod.status, phase: 'Pending', startTime: facts.now, conditions: [scheduled] },
  };
}

function start(pod: Pod, facts: PodFacts): Pod {
  const wanted = wantedReadiness(pod) ?? { status: 'True', reason: '' };
  const isUp = wanted.status === 'True';
  const types = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'];
  const conditions = types.map((type) =>
    type === 'ContainersReady' || type === 'Ready'
      ? toCondition(type, wanted.status, wanted.reason, facts.now)
      : toCondition(type, 'True', '', facts.now),
  );
  const address =
    facts.podIp === undefined ? {} : { podIP: facts.podIp, podIPs: [{ ip: facts.podIp }] };
  return {
    ...pod,
    status: {
      ...pod.status,
      phase: 'Running',
      conditions,
      hostIP: facts.hostIp,
      ...address,
      qosClass: 'BestEffort',
      containerStatuses: containerStatuses(pod, isUp, facts.now),
    },
  };
}

function wantedReadiness(
  pod: Pod,
): { readonly status: 'True' | 'False'; readonly reason: string } | undefined {
  const annotation = pod.metadata.annotations?.[readyAnnotation];
  if (annotation === 'false') return { status: 'False', reason: annotationReason };
  if (annotation !== undefined) return { status: 'True', reason: '' };
  return readyOf(pod)?.reason === annotationReason ? { status: 'True', reason: '' } : undefined;
}

function readyOf(pod: Pod): PodCondition | undefined {
  return pod.status?.conditions?.find(({ type }) => type === 'Ready');
}

function withReady(
  pod: Pod,
  wanted: { readonly status: 'True' | 'False'; readonly reason: string },
  now: string,
): Pod {
  const others = (pod.status?.conditions ?? []).filter(
    ({ type }) => type !== 'Ready' && type !== 'ContainersReady',
  );
  const own = ['ContainersReady', 'Ready'].map((type) =>
    toCondition(type, wanted.status, wanted.reason, now),
  );
  return {
    ...pod,
    status: {
      ...pod.status,
      conditions: [...others, ...own],
      containerStatuses: containerStatuses(pod, wanted.status === 'True', now),
    },
  };
}

function containerStatuses(pod: Pod, ready: boolean, now: string): readonly object[] {
  return (pod.spec.containers ?? []).map(({ name, image }) => ({
    name,
    image: image ?? '',
    imageID: '',
    ready,
    started: true,
    restartCount: 0,
    state: { running: { startedAt: now } },
    lastState: {},
  }));
}

function toCondition(
  type: string,
  status: 'True' | 'False',
  reason: string,
  now: string,
): PodCondition {
  return { type, status, lastTransitionTime: now, ...(reason === '' ? {} : { reason }) };
}
