// The places in which two normalised answers differ.
//
// Next file to read: suite.ts.

import type { JsonLike, Normal } from './normalise.ts';

export interface Difference {
  readonly area: string;
  readonly step: string;
  /** Such as `body.spec.ports[0].port` or `header.warning`. */
  readonly place: string;
  /** Undefined: not there. */
  readonly theirs: JsonLike | undefined;
  readonly ours: JsonLike | undefined;
}

type Found = Omit<Difference, 'area' | 'step'>;

export function compare(theirs: Normal, ours: Normal): readonly Found[] {
  // Two answers of different kinds have no member in common that is worth a line of its own.
  if (JSON.stringify(theirs['status']) !== JSON.stringify(ours['status'])) {
    return [{ place: 'status', theirs: summaryOf(theirs), ours: summaryOf(ours) }];
  }
  const places = new Set([...Object.keys(theirs), ...Object.keys(ours)]);
  return [...places].sort().flatMap((place) => compareValues(place, theirs[place], ours[place]));
}

function summaryOf(answer: Normal): JsonLike {
  const { status, body, fault } = answer;
  if (status === undefined) return fault ?? null;
  const message = isMap(body) && body['kind'] === 'Status' ? body['message'] : undefined;
  return { status, ...(message === undefined ? {} : { message }) };
}

function compareValues(
  place: string,
  theirs: JsonLike | undefined,
  ours: JsonLike | undefined,
): readonly Found[] {
  if (Array.isArray(theirs) && Array.isArray(ours)) {
    return indexes(Math.max(theirs.length, ours.length)).flatMap((index) =>
      compareValues(
        `${place}[${index}]`,
        theirs[index] as JsonLike | undefined,
        ours[index] as JsonLike | undefined,
      ),
    );
  }
  if (isMap(theirs) && isMap(ours)) {
    const keys = new Set([...Object.keys(theirs), ...Object.keys(ours)]);
    return [...keys]
      .sort()
      .flatMap((key) => compareValues(`${place}.${key}`, theirs[key], ours[key]));
  }
  return JSON.stringify(theirs) === JSON.stringify(ours) ? [] : [{ place, theirs, ours }];
}

function isMap(value: JsonLike | undefined): value is { readonly [key: string]: JsonLike } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function indexes(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index);
}
