// Where a cluster stands. Detected by the agent from node labels, or declared by its admin.

export interface Topology {
  /** Sorted, lower-case DNS labels; empty when unknown. */
  readonly zones: readonly string[];
  readonly region: string | undefined;
  /** `gce`, `aws`, `openstack`, ... free text, shown only. */
  readonly provider: string | undefined;
}
