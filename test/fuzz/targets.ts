// All fuzz targets, by the order of a request's way through the server.

import { deleteOptionsTarget, jsonTarget, protobufTarget, yamlTarget } from './body-targets.ts';
import { closeHttpWorld, httpTarget } from './http-target.ts';
import { applyTarget, patchTarget } from './patch-targets.ts';
import { accessTarget, requestTarget } from './request-targets.ts';
import { serviceTarget } from './service-target.ts';
import type { FuzzTarget } from './target.ts';

export const fuzzTargets: readonly FuzzTarget[] = [
  jsonTarget,
  yamlTarget,
  protobufTarget,
  deleteOptionsTarget,
  patchTarget,
  applyTarget,
  requestTarget,
  accessTarget,
  serviceTarget,
  httpTarget,
];

/** Ends what targets keep between cases. */
export async function closeTargets(): Promise<void> {
  await closeHttpWorld();
}
