// How many endpoints of a shard take traffic, as kube-proxy sends it: the ready ones; where there
// are none, those that terminate and still serve (KEP-1669).

export function countUsable(readiness: {
  readonly ready: number;
  readonly serving: number;
  readonly terminating: number;
}): number {
  const { ready, serving, terminating } = readiness;
  return ready > 0 ? ready : Math.min(serving, terminating);
}
