// How far an agent may be from its coordinator, in time and in version, and the words for it.
// Pure; both ends use it, so that they agree.
//
//   K1. Clocks: up to a minute apart is nothing. Beyond, certificates work as long as they are
//       dated in both clocks (they are backdated an hour), but times in logs and events mislead,
//       and DNSSEC, tokens and the cluster's own certificates are next.
//   K2. Versions: the same major and one minor older or newer is supported, so that either end is
//       upgraded first. Further apart the session goes on, because taking it away would leave the
//       cluster without orders; a condition says so. Another major is refused at Hello.

/** K1. */
export const clockSkewMaxMs = 60_000;

/** Undefined when the clocks agree well enough. */
export function describeClockSkew(at: {
  readonly agentMs: number;
  readonly coordinatorMs: number;
}): string | undefined {
  const skewMs = at.agentMs - at.coordinatorMs;
  if (Math.abs(skewMs) <= clockSkewMaxMs) return undefined;
  const direction = skewMs > 0 ? 'ahead of' : 'behind';
  return (
    `the agent's clock is ${formatSkew(Math.abs(skewMs))} ${direction} the coordinator's; ` +
    'set the clock of the machine that is wrong (NTP)'
  );
}

function formatSkew(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  if (hours > 0) return `${hours}h${minutes}m`;
  return `${minutes}m${seconds % 60}s`;
}

export interface VersionSkew {
  readonly reason: 'AgentTooOld' | 'AgentTooNew';
  /** Another major: the two do not work together at all. */
  readonly isRefused: boolean;
  readonly message: string;
}

const minorsMax = 1;

/** K2. Undefined when they fit, or when one of them is no version. */
export function describeVersionSkew(of: {
  readonly agentVersion: string;
  readonly coordinatorVersion: string;
}): VersionSkew | undefined {
  const agent = parseVersion(of.agentVersion);
  const coordinator = parseVersion(of.coordinatorVersion);
  if (agent === undefined || coordinator === undefined) return undefined;
  const isRefused = agent.major !== coordinator.major;
  const minors = agent.minor - coordinator.minor;
  if (!isRefused && Math.abs(minors) <= minorsMax) return undefined;
  const isOlder = isRefused ? agent.major < coordinator.major : minors < 0;
  const [old, what] = isOlder ? ['agent', 'older'] : ['coordinator', 'newer'];
  const far = isRefused ? 'one major version or more' : `more than ${minorsMax} minor version`;
  return {
    reason: isOlder ? 'AgentTooOld' : 'AgentTooNew',
    isRefused,
    message:
      `agent ${of.agentVersion} is ${far} ${what} than coordinator ` +
      `${of.coordinatorVersion}, which is not supported; upgrade the ${old}`,
  };
}

function parseVersion(
  text: string,
): { readonly major: number; readonly minor: number } | undefined {
  const [, major, minor] = /^v?(\d{1,6})\.(\d{1,6})\./.exec(text) ?? [];
  return major === undefined || minor === undefined
    ? undefined
    : { major: Number(major), minor: Number(minor) };
}
