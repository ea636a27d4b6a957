// An exchange whose server and credentials can be replaced while watches run on it. Those of the
// former end with an error, and whoever retries gets on through the next.

import type { Exchange, KubeRequest } from './kube-http-exchange.ts';
import { MeshError } from '../pure/errors.ts';

export interface ExchangeOutcome {
  /** Path without a query. */
  readonly path: string;
  readonly isRead: boolean;
  /** undefined: the server answered as it should. */
  readonly error: MeshError | undefined;
}

export interface ReplaceableExchange extends Exchange {
  /** Closes the former. */
  replace(next: Exchange): void;
}

/** `onOutcome` hears of every request's end, and of every byte of a watch that runs. */
export function createReplaceableExchange(
  first: Exchange,
  onOutcome: (outcome: ExchangeOutcome) => void,
): ReplaceableExchange {
  let current = first;
  const tell = (
    from: Exchange,
    request: Pick<KubeRequest, 'path' | 'method'>,
    error: unknown,
  ): void => {
    if (from !== current) return; // of those that are gone
    const isRead = request.method === 'GET';
    const path = request.path.split('?', 1)[0] ?? '';
    if (error === undefined) onOutcome({ path, isRead, error });
    else if (error instanceof MeshError) onOutcome({ path, isRead, error });
  };
  return {
    send: async (request) => {
      const from = current;
      try {
        const text = await from.send(request);
        tell(from, request, undefined);
        return text;
      } catch (error) {
        tell(from, request, error);
        throw error;
      }
    },
    stream: (path, sink) => {
      const from = current;
      const request = { path, method: 'GET' } as const;
      return from.stream(path, {
        onLine: (line) => sink.onLine(line),
        onBytes: () => {
          sink.onBytes();
        },
        onEnd: (error) => {
          tell(from, request, error);
          sink.onEnd(error);
        },
      });
    },
    close: () => current.close(),
    replace: (next) => {
      const former = current;
      current = next;
      former.close();
    },
  };
}
