// `npm run compat`: writes the compatibility page, and says what is neither proved nor decided.

import { writeFileSync } from 'node:fs';
import { pagePath, readCompatibility } from './compatibility.ts';

const { page, faults } = readCompatibility();
writeFileSync(pagePath, page);
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
