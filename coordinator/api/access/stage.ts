// Rights as one part: the default roles, the index of bindings, and what reviews may ask.

import { toPlainAccess, type Access } from '../machinery/access/access.ts';
import type { KindDefinition } from '../machinery/kind.ts';
import { createRbac } from './rbac.ts';
import { startRoles, type RolesPorts } from './roles-loop.ts';

export interface AccessStage {
  readonly access: Access;
  /** Resolves when the rules of aggregated roles are right. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** Writes the default roles and bindings that are missing, then answers. */
export async function startAccess(
  ports: RolesPorts,
  options: {
    readonly kinds: readonly KindDefinition[];
    /** Without it no token is good. */
    readonly reviewToken?: Access['reviewToken'] | undefined;
  },
): Promise<AccessStage> {
  const roles = await startRoles(ports, options.kinds);
  const rbac = createRbac(ports.desired);
  const { authorize, rulesFor, rulesOf } = rbac;
  const reviewToken = options.reviewToken ?? toPlainAccess(authorize).reviewToken;
  return {
    access: { authorize, rulesFor, rulesOf, reviewToken },
    idle: () => roles.idle(),
    stop: async () => {
      rbac.close();
      await roles.stop();
    },
  };
}
