// Port of the telemetry messages' wire form, and its one adapter: proto/telemetry.proto.

import type {
  ProbeReply,
  ProbeRequest,
  SyncRequest,
  TelemetryMessage,
} from '../../common/model/telemetry.ts';
import {
  decodeProbeReply,
  decodeReport,
  encodeProbeRequest,
  encodeSyncRequest,
} from '../../common/wire/telemetry-codec.ts';

export interface TelemetryCodec {
  /** Throws on anything that is not a report. */
  decodeReport(payload: Uint8Array): TelemetryMessage;
  encodeSyncRequest(request: SyncRequest): Uint8Array;
  encodeProbeRequest(request: ProbeRequest): Uint8Array;
  /** Throws on anything that is not a reply. */
  decodeProbeReply(payload: Uint8Array): ProbeReply;
}

export const wireCodec: TelemetryCodec = {
  decodeReport,
  encodeSyncRequest,
  encodeProbeRequest,
  decodeProbeReply,
};
