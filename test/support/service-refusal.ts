// A request that is refused, and the lines of the refusal.

export interface RefusedCreate {
  readonly row: string;
  readonly title: string;
  readonly spec: object;
  readonly metadata?: object;
  /** Of `message`, in order; causes are these too, equal ones as often as they come. */
  readonly lines: readonly string[];
}
