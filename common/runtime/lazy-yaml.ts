// The YAML library, loaded when a file has to be read: an agent in a Pod reads none, and would carry
// it for all of its life.

import type * as Yaml from 'yaml';
import { createRequire } from 'node:module';

export function loadYaml(): typeof Yaml {
  const load = createRequire(import.meta.url);
  return load('yaml') as typeof Yaml; // what its own package.json exports to require
}
