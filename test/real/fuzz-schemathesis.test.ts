// Requests that schemathesis makes of our own OpenAPI documents, to a real coordinator over HTTPS.
// ISTHMUS_FUZZ_SECONDS is how long for each document, ISTHMUS_FUZZ_SEED repeats a run.

import anyTest, { type ExecutionContext } from 'ava';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { systemClock } from '../../common/runtime/clock.ts';
import { findSchemathesis, runSchemathesis } from '../fuzz/schemathesis.ts';
import { findProgram } from '../support/programs.ts';
import { openRealMesh, type RealMesh } from '../support/real-mesh.ts';

const secondsEach = Number(process.env['ISTHMUS_FUZZ_SECONDS'] ?? 25);
const seed = Number(process.env['ISTHMUS_FUZZ_SEED'] ?? Math.floor(systemClock.now() % 2 ** 31));

const found =
  findProgram('nats-server') === undefined
    ? { missing: 'nats-server is not there' }
    : await findSchemathesis();
const title = 'what our OpenAPI declares is answered as declared, and no request makes a fault';

if ('missing' in found) {
  anyTest.skip(`${title} [missing schemathesis: ${found.missing}]`, (t) => t.pass());
} else {
  anyTest(title, (t) => check(t, found.path));
}

// Of a number or a name version 2 can only say that it is a text, and Kubernetes does.
const documents = [['/openapi/v2'], ['/openapi/v3/api/v1', 'response_schema_conformance']] as const;

async function check(t: ExecutionContext, path: string): Promise<void> {
  t.timeout(secondsEach * 2000 + 240_000);
  t.log(`seed ${seed}`);
  const mesh = await openRealMesh({ clusters: 0 });
  t.teardown(() => mesh.close());
  const files = writeCredentials(mesh);
  for (const [document, ...checks] of documents) {
    const url = `${files.server}${document}`;
    const ran = await runSchemathesis(path, { ...files, url, seed, seconds: secondsEach, checks });
    t.is(ran.code, 0, `${document}\n${ran.output}\n${ran.errors}`);
    t.log(`${document}: ${/\d+ generated[^\n]*/.exec(ran.output)?.[0] ?? 'no count'}`);
  }
  t.deepEqual(mesh.crashes, []);
  t.notRegex(mesh.logOf('coordinator'), /programmer error/);
}

interface Credentials {
  readonly server: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly workFolder: string;
}

/** The administrator's, out of the kubeconfig. */
function writeCredentials({ layout }: RealMesh): Credentials {
  const config = parse(readFileSync(layout.kubeconfig, 'utf8')) as {
    readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
    readonly users: readonly { readonly user: Readonly<Record<string, string>> }[];
  };
  const [cluster, user] = [config.clusters[0]?.cluster ?? {}, config.users[0]?.user ?? {}];
  const write = (name: string, base64: string | undefined): string => {
    const path = join(layout.dir, name);
    writeFileSync(path, Buffer.from(base64 ?? '', 'base64'), { mode: 0o600 });
    return path;
  };
  return {
    server: cluster['server'] ?? '',
    caFile: write('fuzz-ca.pem', cluster['certificate-authority-data']),
    certFile: write('fuzz-cert.pem', user['client-certificate-data']),
    keyFile: write('fuzz-key.pem', user['client-key-data']),
    workFolder: layout.dir,
  };
}
