// What one publication is planned from: data alone, the whole truth about one Service in one zone.

import type { LevelTtls } from '../../../common/model/dns-zone.ts';
import type { ShardVerdict } from '../../../common/model/health.ts';
import type { ClusterName, ServiceKey } from '../../../common/model/ids.ts';
import type { DnsAlias } from '../../../common/model/isthmus-kinds.ts';
import type { ServicePort, ServiceSpec } from '../../../common/model/kube-object.ts';
import type { Publication } from '../../../common/model/publication.ts';
import type { Topology } from '../../../common/model/topology.ts';
import type { AddressRules } from '../../../common/pure/address-rules.ts';
import type { ZoneShape } from './zone-shape.ts';

export interface ShardInput {
  readonly cluster: ClusterName;
  readonly topology: Topology;
  /** undefined: nothing known (yet). */
  readonly verdict: ShardVerdict | undefined;
  /** A wish: out of DNS at once. */
  readonly isDrained?: boolean;
  /** 0 to 100. Default: 100. */
  readonly weight?: number;
  /** In DNS only while no shard that is no backup is healthy. */
  readonly isBackup?: boolean;
}

export interface PublicationInput {
  readonly key: ServiceKey;
  readonly serviceUid: string;
  readonly type: NonNullable<ServiceSpec['type']>;
  readonly isHeadless: boolean;
  /** Domain under which the names stand, without the trailing dot. */
  readonly zone: string;
  readonly federation: string;
  readonly ttlSeconds: number;
  /** Of levels that shall not be as the others. */
  readonly levelTtlSeconds?: LevelTtls;
  /** Every placed shard, in any order. */
  readonly shards: readonly ShardInput[];
  readonly previous: Publication | undefined;
  readonly addressRules: AddressRules;
  /** Default: the embedded zone. */
  readonly shape?: ZoneShape;
  /** Zones and regions of every registered cluster. Default: those of the shards. */
  readonly places?: readonly Place[];
  /** Of the Service. Default: none. */
  readonly ports?: readonly ServicePort[];
  /** Short names of the user's own that the Service has, and those that another one has. */
  readonly aliases?: AliasesInput;
  /** Addresses of load balancers that are names (hostname mode Flatten), as last looked up. */
  readonly resolved?: ReadonlyMap<string, readonly string[]>;
}

/** One region, with its zones. */
export interface Place {
  readonly region: string;
  readonly zones: readonly string[];
}

export interface AliasesInput {
  readonly granted: readonly DnsAlias[];
  readonly refused: readonly { readonly name: string; readonly by: ServiceKey }[];
}
