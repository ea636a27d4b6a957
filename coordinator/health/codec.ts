// Port of the telemetry messages' wire form. Adapter: common/wire, given by main.ts.

import type { ProbeReply, ProbeRequest, SyncRequest, TelemetryMessage } from '../../common/model/telemetry.ts';

export interface TelemetryCodec {
  /** Throws on anything that is not a report. */
  decodeReport(payload: Uint8Array): TelemetryMessage;
  encodeSyncRequest(request: SyncRequest): Uint8Array;
  encodeProbeRequest(request: ProbeRequest): Uint8Array;
  /** Throws on anything that is not a reply. */
  decodeProbeReply(payload: Uint8Array): ProbeReply;
}
