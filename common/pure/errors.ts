// The two kinds of error that are thrown. Operating outcomes are returned, not thrown.

export type MeshErrorClass = 'retryable' | 'conflict' | 'fatal';

/** An operating error that crosses an adapter's edge. `code` is public and stable. */
export class MeshError extends Error {
  readonly code: string;
  readonly class: MeshErrorClass;

  constructor(errorClass: MeshErrorClass, code: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MeshError';
    this.code = code;
    this.class = errorClass;
  }
}

/** A programmer error: the process logs it and exits. */
export class InvariantError extends Error {
  override readonly name = 'InvariantError';
}

export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

export function assertNever(value: never): never {
  throw new InvariantError(`unexpected variant: ${JSON.stringify(value)}`);
}
