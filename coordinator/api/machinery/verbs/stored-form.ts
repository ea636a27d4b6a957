// A kind with two faces is stored once, under the key and in the form of one of them. Here the
// other face's reads, watches and writes are translated, so that nothing else has to know.
//
//   F1. The revision is the stored object's own: both faces show one resourceVersion.
//   F2. An object is translated once for all who read it.

import { toLogPrefix, type LogKey } from '../../../../common/model/ids.ts';
import type { Desired, DesiredOutcome, StoredObject, ViewEvent } from '../../../desired/store.ts';
import type { KindDefinition, StoredForm } from '../kind.ts';

/** `desired` as the kind shows it; itself for every kind that is stored as it is. */
export function toServedDesired(desired: Desired, kind: KindDefinition): Desired {
  return kind.storedAs === undefined ? desired : translate(desired, kind, kind.storedAs);
}

function translate(desired: Desired, kind: KindDefinition, form: StoredForm): Desired {
  const served = toLogPrefix(kind.group, kind.plural);
  const stored = toLogPrefix(form.group, form.plural);
  const isServed = (key: string): boolean => key.startsWith(served);
  // Only the prefix differs, so that the order of the keys is the same.
  const toStoredText = (text: string): string =>
    isServed(text) ? `${stored}${text.slice(served.length)}` : text;
  const toStoredKey = (key: LogKey): LogKey => toStoredText(key) as LogKey;
  const translated = new WeakMap<StoredObject, StoredObject>();
  const toServed = (one: StoredObject): StoredObject => {
    if (!one.key.startsWith(stored)) return one;
    let known = translated.get(one);
    if (known === undefined) {
      const key = `${served}${one.key.slice(stored.length)}` as LogKey;
      known = toServedObject(one, key, form);
      translated.set(one, known);
    }
    return known;
  };
  const toServedEvent = ({ kind: change, current, previous }: ViewEvent): ViewEvent => ({
    kind: change,
    current: toServed(current),
    previous: previous === undefined ? undefined : toServed(previous),
  });
  return {
    ...desired,
    get: (key) => toServedOrNone(desired.get(toStoredKey(key)), toServed),
    list: function* (prefix, after) {
      const from = after === undefined ? undefined : toStoredText(after);
      for (const one of desired.list(toStoredText(prefix), from)) yield toServed(one);
    },
    count: (prefix, after) =>
      desired.count(toStoredText(prefix), after === undefined ? undefined : toStoredText(after)),
    watch: (prefix, from, onEvents) =>
      desired.watch(toStoredText(prefix), from, (events) => onEvents(events.map(toServedEvent))),
    write: async (request): Promise<DesiredOutcome> => {
      if (!isServed(request.key)) return desired.write(request);
      const outcome = await desired.write({
        ...request,
        key: toStoredKey(request.key),
        object: request.object === undefined ? undefined : form.toStored(request.object),
      });
      return outcome.kind === 'written'
        ? { kind: 'written', stored: toServed(outcome.stored) }
        : outcome;
    },
  };
}

function toServedOrNone(
  one: StoredObject | undefined,
  toServed: (one: StoredObject) => StoredObject,
): StoredObject | undefined {
  return one === undefined ? undefined : toServed(one);
}

function toServedObject(one: StoredObject, key: LogKey, form: StoredForm): StoredObject {
  const object = form.toServed(one.object);
  let encoded: Uint8Array | undefined;
  return {
    key,
    revision: one.revision,
    object,
    bytes: () => (encoded ??= Buffer.from(JSON.stringify(object), 'utf8')),
  };
}
