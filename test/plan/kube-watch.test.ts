// How soon a watch that broke goes on.

import test from 'ava';
import { MeshError } from '../../common/pure/errors.ts';
import { systemChance } from '../../common/runtime/chance.ts';
import type { StreamSink } from '../../common/runtime/kube-http-exchange.ts';
import { startWatch } from '../../common/runtime/kube-http-watch.ts';
import { createVirtualClock } from '../support/virtual-clock.ts';

const away = new MeshError('retryable', 'KUBE_UNREACHABLE', 'connect ECONNREFUSED');
const expired = new MeshError('retryable', 'KUBE_EXPIRED', 'too old resource version');

/** A server that says what is set: nothing (the watch stands) or an error. */
function begin() {
  const clock = createVirtualClock();
  const server: { answer: MeshError | undefined; lists: number; watches: number } = {
    answer: undefined,
    lists: 0,
    watches: 0,
  };
  const open = new Set<StreamSink>();
  const watch = startWatch({
    clock,
    chance: { ...systemChance, fraction: () => 0.5 },
    exchange: {
      send: () => Promise.reject(new Error('lists are given')),
      close: () => undefined,
      stream: (_, sink) => {
        server.watches += 1;
        const { answer } = server;
        if (answer === undefined) open.add(sink);
        else clock.soon(() => sink.onEnd(answer));
        return { cancel: () => void open.delete(sink) };
      },
    },
    list: () => {
      server.lists += 1;
      return Promise.resolve({ objects: [], resourceVersion: String(server.lists) });
    },
    toPath: (resourceVersion) => `/watch?resourceVersion=${resourceVersion}`,
    sink: { onList: () => undefined, onEvent: () => undefined, onError: () => undefined },
  });
  const cut = (error: MeshError): void => {
    server.answer = error;
    for (const sink of open) sink.onEnd(error);
  };
  return { clock, server, cut, watch };
}

test('a server that was away for long is listed at once when it says that it has forgotten', async (t) => {
  const { clock, server, cut, watch } = begin();
  await clock.advance(10_000);
  t.is(server.lists, 1);
  cut(away);
  await clock.advance(60_000);
  t.is(server.lists, 1);
  server.answer = expired;
  await clock.advance(15_000);
  server.answer = undefined;
  await clock.advance(300);
  t.true(server.lists >= 2, `${server.lists} lists`);
  watch.cancel();
});

test('a server that forgets again and again is asked less and less', async (t) => {
  const { clock, server, cut, watch } = begin();
  await clock.advance(10_000);
  cut(expired);
  await clock.advance(60_000);
  t.true(server.lists > 4 && server.lists < 20, `${server.lists} lists in a minute`);
  watch.cancel();
});
