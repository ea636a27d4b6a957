// What one cluster has reported, folded from its telemetry.
// Input: decoded messages of that cluster. Output: last known readiness and addresses of its
// shards, freshness of its API server, and which full states are wanted.
//
//   F5. A message of an earlier life of the agent changes nothing; a later life starts the
//       sequences anew and leaves the last known items standing until it has told its own.
//   F6. A heartbeat counts once: late and duplicate ones are no proof of life.
// Next: step-cluster.ts, step-shard.ts.

import type { ServiceKey } from '../../common/model/ids.ts';
import { compareIncarnations, type Incarnation } from '../../common/model/session.ts';
import type {
  Heartbeat,
  ReportKind,
  ShardIngress,
  ShardReadiness,
  TelemetryMessage,
} from '../../common/model/telemetry.ts';
import { assertNever } from '../../common/pure/errors.ts';
import { ReportStream } from './fold-stream.ts';

export interface FoldOutcome {
  readonly kind: 'folded' | 'older';
  /** Shards to judge anew. */
  readonly changed: readonly ServiceKey[];
  /** A heartbeat not counted before. */
  readonly isProofOfLife: boolean;
  /** The whole of what the cluster reported became known: judge all of its shards. */
  readonly isNewlyComplete: boolean;
}

export class ClusterReports {
  readonly #health = new ReportStream('health');
  readonly #ingress = new ReportStream('ingress');
  #incarnation: Incarnation | undefined;
  #heartbeatSequence = -1;
  #apiFresh = true;

  readiness(key: ServiceKey): ShardReadiness | undefined {
    return this.#health.item(key);
  }

  ingress(key: ServiceKey): ShardIngress | undefined {
    return this.#ingress.item(key);
  }

  incarnation(): Incarnation | undefined {
    return this.#incarnation;
  }

  /** As the newest heartbeat said; true before the first. */
  isApiFresh(): boolean {
    return this.#apiFresh;
  }

  /** The current life has told both complete states at least once. */
  hasReported(): boolean {
    return this.#health.hasReported() && this.#ingress.hasReported();
  }

  /** Both states are known to be complete and current. */
  isSynced(): boolean {
    return this.#health.isSynced() && this.#ingress.isSynced();
  }

  /** Streams whose full state should be asked for. */
  wantedSyncs(): readonly ReportKind[] {
    if (this.#incarnation === undefined) return [];
    const wanted: ReportKind[] = [];
    if (!this.#health.isSynced()) wanted.push('health');
    if (!this.#ingress.isSynced()) wanted.push('ingress');
    return wanted;
  }

  wantsSync(report: ReportKind): boolean {
    return this.wantedSyncs().includes(report);
  }

  fold(message: TelemetryMessage): FoldOutcome {
    const hadReported = this.hasReported();
    if (!this.#admit(message.incarnation)) {
      return { kind: 'older', changed: [], isProofOfLife: false, isNewlyComplete: false };
    }
    const { changed, isProofOfLife } = this.#foldBody(message);
    const isNewlyComplete = !hadReported && this.hasReported();
    return { kind: 'folded', changed, isProofOfLife, isNewlyComplete };
  }

  #foldBody(message: TelemetryMessage): Pick<FoldOutcome, 'changed' | 'isProofOfLife'> {
    switch (message.kind) {
      case 'heartbeat':
        return { changed: [], isProofOfLife: this.#foldHeartbeat(message) };
      case 'delta':
        return { changed: this.#foldDelta(message), isProofOfLife: false };
      case 'full':
        return { changed: this.#foldFull(message), isProofOfLife: false };
      case 'event':
        return { changed: [], isProofOfLife: false };
      default:
        return assertNever(message);
    }
  }

  #admit(incarnation: Incarnation): boolean {
    const known = this.#incarnation;
    const order = known === undefined ? 1 : compareIncarnations(incarnation, known);
    if (order < 0) return false; // F5
    if (order > 0) {
      this.#incarnation = incarnation;
      this.#heartbeatSequence = -1;
      this.#health.restart();
      this.#ingress.restart();
    }
    return true;
  }

  #foldHeartbeat(beat: Heartbeat): boolean {
    if (beat.sequence <= this.#heartbeatSequence) return false; // F6
    this.#heartbeatSequence = beat.sequence;
    this.#apiFresh = beat.apiFresh;
    this.#health.confirm({ sequence: beat.healthSequence, digest: beat.healthDigest });
    this.#ingress.confirm({ sequence: beat.ingressSequence, digest: beat.ingressDigest });
    return true;
  }

  #foldDelta(message: Extract<TelemetryMessage, { kind: 'delta' }>): readonly ServiceKey[] {
    return message.report === 'health'
      ? this.#health.foldDelta(message)
      : this.#ingress.foldDelta(message);
  }

  #foldFull(message: Extract<TelemetryMessage, { kind: 'full' }>): readonly ServiceKey[] {
    return message.report === 'health'
      ? this.#health.foldFull(message)
      : this.#ingress.foldFull(message);
  }
}
