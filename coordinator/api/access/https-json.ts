// One JSON document over https, for the issuer's discovery and keys: bounded in time and bytes, no
// redirects, and only certificates of the given CA (or of the system's).

import { request } from 'node:https';
import { MeshError } from '../../../common/pure/errors.ts';
import type { Clock } from '../../../common/runtime/clock.ts';

const timeoutMs = 5_000;
const bytesMax = 1 << 20;

export interface JsonFetcherOptions {
  readonly clock: Clock;
  /** PEM; undefined: the CAs that Node trusts. */
  readonly caPem: string | undefined;
}

/** Rejects with MeshError FETCH_FAILED, FETCH_LATE or FETCH_TOO_LARGE, or what JSON.parse throws. */
export function createJsonFetcher(options: JsonFetcherOptions): (url: string) => Promise<unknown> {
  return async (url) => JSON.parse(await fetchText(url, options));
}

function fetchText(url: string, { clock, caPem }: JsonFetcherOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (code: string, message: string, cause?: unknown): void => {
      timer.cancel();
      reject(new MeshError('retryable', code, `GET ${url}: ${message}`, cause));
      asked.destroy();
    };
    const asked = request(
      url,
      {
        headers: { accept: 'application/json' },
        agent: false,
        ...(caPem === undefined ? {} : { ca: caPem }),
      },
      (response) => {
        if (response.statusCode !== 200) {
          fail('FETCH_FAILED', `status ${response.statusCode}`);
          return;
        }
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length > bytesMax) fail('FETCH_TOO_LARGE', `more than ${bytesMax} bytes`);
          else chunks.push(chunk);
        });
        response.on('error', (error) => fail('FETCH_FAILED', 'broken off', error));
        response.on('end', () => {
          timer.cancel();
          resolve(Buffer.concat(chunks).toString('utf8'));
        });
      },
    );
    const timer = clock.after(timeoutMs, () => fail('FETCH_LATE', `not within ${timeoutMs} ms`));
    asked.on('error', (error) => fail('FETCH_FAILED', 'no answer', error));
    asked.end();
  });
}
