// The decoders as laws: what JSON.parse reads the strict parser reads, in one go or in slices, and
// whatever the bytes are, the answer is an object or a refusal.

import test from 'ava';
import fc from 'fast-check';
import { decodeObject } from '../../coordinator/api/machinery/schema/decode.ts';
import {
  JsonParser,
  JsonSyntaxError,
  parseJsonStrict,
} from '../../coordinator/api/machinery/schema/json-strict.ts';
import { ApiError } from '../../coordinator/api/machinery/answer/status-error.ts';
import { serviceKind, toBytes } from '../support/api-service.ts';

// Lone surrogates become U+FFFD, as they do in Go.
const json = fc.json({ maxDepth: 6 }).map((text) => text.replace(/\\ud[89a-f]../gi, ''));

test('J1. the strict parser reads what JSON.parse reads', (t) => {
  fc.assert(
    fc.property(json, (text) => {
      t.is(JSON.stringify(parseJsonStrict(text).value), JSON.stringify(JSON.parse(text)));
    }),
  );
});

test('J1. the strict parser refuses what JSON.parse refuses', (t) => {
  const damaged = fc
    .tuple(json, fc.nat(), fc.constantFrom('', '"', '}', ',', '\\', '1', '\n', 'x', '-', '.'))
    .map(([text, at, piece]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + piece + text.slice(place + 1);
    });
  fc.assert(
    fc.property(damaged, (text) => {
      t.is(isRead(parseJsonStrict, text), isRead(JSON.parse, text), text);
    }),
    { numRuns: 1000 },
  );
});

function isRead(read: (text: string) => unknown, text: string): boolean {
  try {
    read(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof JsonSyntaxError) return false;
    throw error;
  }
}

test('J2. a parser that is paused anywhere reads the same', (t) => {
  fc.assert(
    fc.property(json, fc.integer({ min: 1, max: 5 }), (text, values) => {
      const parser = new JsonParser(text);
      while (!parser.run(values));
      t.deepEqual(parser.result(), parseJsonStrict(text));
    }),
  );
});

for (const mediaType of ['application/json', 'application/yaml'] as const) {
  test(`[k8s 24] any bytes as ${mediaType} are an object or refused`, (t) => {
    const bytes = fc.oneof(
      fc.string().map((text) => toBytes(text)),
      fc.uint8Array(),
      fc.json({ maxDepth: 4 }).map((text) => toBytes(`{"metadata":${text},"spec":${text}}`)),
    );
    fc.assert(
      fc.property(bytes, fc.constantFrom('Strict', 'Warn', 'Ignore'), (body, validation) => {
        try {
          const { object } = decodeObject({
            bytes: body,
            mediaType,
            kind: serviceKind,
            validation,
          });
          t.is(object.kind, 'Service');
        } catch (error) {
          t.true(error instanceof ApiError, String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
}
