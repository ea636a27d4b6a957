// /healthz, /livez and /readyz, as kube-apiserver answers them: `ok`, or with ?verbose one line
// per check; a failing one makes it 500, and is always verbose. ?exclude=NAME passes over one;
// /livez/NAME is one alone.

import type { ApiResponse } from '../api.ts';
import { answerText } from '../answer/answers.ts';
import type { PathRoute } from './routes.ts';

export const healthPaths = ['/healthz', '/livez', '/readyz'];

/** By name: undefined when it passes, else why not. */
export type Checks = Readonly<Record<string, string | undefined>>;

/** Undefined where nothing is served. Liveness says only that we answer: a restart mends no bus. */
export function answerHealth(route: PathRoute, readiness: () => Checks): ApiResponse | undefined {
  const [, root = '', name, ...more] = route.path.split('/');
  if (!healthPaths.includes(`/${root}`) || more.length > 0) return undefined;
  const checks = { ping: undefined, ...(root === 'livez' ? {} : readiness()) };
  if (name !== undefined) return answerCheck(checks, name);
  return answerAll(root, checks, route.query);
}

function answerCheck(checks: Checks, name: string): ApiResponse | undefined {
  if (!Object.hasOwn(checks, name)) return undefined;
  const why = checks[name];
  if (why === undefined) return answerText(200, 'ok');
  return answerText(500, `internal server error: ${why}\n`, plain);
}

// As Go's http.Error: a browser must not take a text for something else.
export const plain = { 'x-content-type-options': 'nosniff' } as const;

function answerAll(root: string, checks: Checks, query: URLSearchParams): ApiResponse {
  const excluded = new Set(query.getAll('exclude'));
  const lines = Object.entries(checks).map(([name, why]) => {
    if (excluded.has(name)) return `[+]${name} excluded: ok`;
    return why === undefined ? `[+]${name} ok` : `[-]${name} failed: reason withheld`;
  });
  const unknown = [...excluded].filter((name) => !Object.hasOwn(checks, name)).sort();
  if (unknown.length > 0) {
    const names = unknown.map((name) => JSON.stringify(name)).join(',');
    lines.push(`warn: some health checks cannot be excluded: no matches for ${names}`);
  }
  const isHealthy = lines.every((line) => !line.startsWith('[-]'));
  if (isHealthy && !query.has('verbose')) return answerText(200, 'ok', plain);
  const last = `${root} check ${isHealthy ? 'passed' : 'failed'}`;
  return answerText(isHealthy ? 200 : 500, `${lines.join('\n')}\n${last}\n`, plain);
}
