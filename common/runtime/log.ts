// Structured logs: a constant message, facts as fields. Written to stderr by pino.

import { createRequire } from 'node:module';
import { pino, type DestinationStream } from 'pino';
import type { PrettyOptions } from 'pino-pretty';

export type LogFields = Readonly<Record<string, unknown>>;

/** error: someone must act. warn: degraded, handled. info: state changed. debug: for developers. */
export interface Log {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A log that adds `fields` to every line. */
  with(fields: LogFields): Log;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** A log on stderr (file descriptor 2); stdout stays for the ready line. */
export function createLog(options: {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
  readonly name: string;
}): Log {
  const stream =
    options.format === 'pretty'
      ? openPretty({ destination: 2, sync: true, colorize: process.stderr.isTTY })
      : pino.destination({ fd: 2, sync: true });
  return wrap(pino({ level: options.level, base: { component: options.name } }, stream));
}

/** Loaded when asked for: programs that log JSON do not pay for it. */
function openPretty(options: PrettyOptions): DestinationStream {
  const load = createRequire(import.meta.url);
  return (load('pino-pretty') as (given: PrettyOptions) => DestinationStream)(options);
}

interface Sink {
  error(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
  child(fields: LogFields): Sink;
}

function wrap(sink: Sink): Log {
  return {
    error: (message, fields = {}) => sink.error(plain(fields), message),
    warn: (message, fields = {}) => sink.warn(plain(fields), message),
    info: (message, fields = {}) => sink.info(plain(fields), message),
    debug: (message, fields = {}) => sink.debug(plain(fields), message),
    with: (fields) => wrap(sink.child(fields)),
  };
}

/** Errors become their message chain; anything else stays as it is. */
function plain(fields: LogFields): LogFields {
  const error = fields['error'];
  return error instanceof Error ? { ...fields, error: describeError(error) } : fields;
}

export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined
    ? error.message
    : `${error.message}: ${describeError(error.cause)}`;
}

/** Says nothing; for tests and the simulation. */
export const silentLog: Log = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  with: () => silentLog,
};
