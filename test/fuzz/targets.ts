// All fuzz targets, by the order of a request's way through the server.

import { deleteOptionsTarget, jsonTarget, protobufTarget, yamlTarget } from './body-targets.ts';
import type { FuzzTarget } from './target.ts';

export const fuzzTargets: readonly FuzzTarget[] = [
  jsonTarget,
  yamlTarget,
  protobufTarget,
  deleteOptionsTarget,
];
