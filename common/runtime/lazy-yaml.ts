// The YAML library, loaded when a file has to be read: an agent in a Pod reads none, and would carry
// it for all of its life.

import { createRequire } from 'node:module';

export function loadYaml(): typeof import('yaml') {
  const load = createRequire(import.meta.url);
  return load('yaml') as typeof import('yaml'); // what its own package.json exports to require
}
