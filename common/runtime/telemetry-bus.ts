// Port of the telemetry bus: core NATS publish/subscribe and request/reply. At most once; the
// messages above it converge by sequence, gap and digest. Adapter: ./nats-bus.ts.

export interface BusMessage {
  readonly subject: string;
  readonly payload: Uint8Array;
}

export interface TelemetryBus {
  isConnected(): boolean;
  /** Dropped silently while disconnected: the backlog would be stale. */
  publish(subject: string, payload: Uint8Array): void;
  /** `pattern` with NATS wildcards. The handler must not block; errors in it are counted, logged. */
  subscribe(pattern: string, handle: (message: BusMessage) => void): { cancel(): void };
  /** Answers requests on `pattern`. */
  serve(pattern: string, answer: (message: BusMessage) => Promise<Uint8Array>): { cancel(): void };
  /** Throws MeshError retryable BUS_TIMEOUT, BUS_NO_RESPONDER or BUS_DISCONNECTED. */
  request(subject: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /** Called on each transition. */
  onConnection(listener: (isConnected: boolean) => void): () => void;
  close(): Promise<void>;
}
