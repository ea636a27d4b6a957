// The wire form of what this stage says and hears on the bus; common/wire has it. Decoders throw
// on garbage; the bus counts that.

import type {
  ProbeReply,
  ProbeRequest,
  SyncRequest,
  TelemetryMessage,
} from '../../common/model/telemetry.ts';

export interface TelemetryCodec {
  encodeReport(message: TelemetryMessage): Uint8Array;
  decodeSyncRequest(bytes: Uint8Array): SyncRequest;
  decodeProbeRequest(bytes: Uint8Array): ProbeRequest;
  encodeProbeReply(reply: ProbeReply): Uint8Array;
}
