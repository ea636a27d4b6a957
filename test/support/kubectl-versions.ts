// The same check with several versions of kubectl against one server of a test file.

import anyTest, { type ExecutionContext } from 'ava';
import { startFederationApi, type FederationApi } from './federation-api.ts';
import { createKubectl, type Kubectl } from './kubectl.ts';
import { findKubectls, testWith } from './programs.ts';

/** `name` is the version's own, such as `v1-33`, for objects that no other version touches. */
export type KubectlCheck = (t: ExecutionContext, kubectl: Kubectl, name: string) => Promise<void>;

/**
 * A machine need not have every version: what was not tested is a skip that says so by name, and
 * is no failure. That no kubectl at all is there is one (testWith).
 */
export function nameMissingKubectls(minors: readonly string[], what: string): void {
  for (const minor of minors) {
    anyTest.skip(`kubectl ${minor} was not found: ${what} was not tested with it`, (t) => t.pass());
  }
}

const checkTimeoutMs = 60_000;

/**
 * Declares tests of `title` with `…` replaced. `prepare` runs once, before the first of them;
 * the server ends after the file's last test.
 */
export function withKubectls(
  minors: readonly string[],
  prepare: (federation: FederationApi) => void = () => undefined,
): (title: string, check: KubectlCheck) => void {
  const { found, notFound } = findKubectls(minors);
  const test = testWith('kubectl');
  let serving: Promise<FederationApi> | undefined;
  const serve = async (): Promise<FederationApi> => {
    const federation = await startFederationApi();
    prepare(federation);
    return federation;
  };
  anyTest.after.always(async () => {
    if (serving !== undefined) await (await serving).close();
  });
  let isNamed = false;
  return (title, check) => {
    if (!isNamed) nameMissingKubectls(notFound, title.replace(/\[[^\]]*\] |…/g, '').trim());
    isNamed = true;
    for (const { minor, path } of found) {
      test.serial(title.replace('…', minor), async (t) => {
        t.timeout(checkTimeoutMs);
        serving ??= serve();
        const kubectl = createKubectl(path, (await serving).https);
        t.teardown(kubectl.remove);
        await check(t, kubectl, `v${minor.replace('.', '-')}`);
      });
    }
  };
}
