// Reads the selector of Federation v1's annotation: a JSON list of {key, operator, values}, all of
// which must hold for a Cluster's labels.

import { isWhole, type Operator, type Requirement } from '../../common/pure/label-selector.ts';

// v1 took these spellings (kubernetes/federation, clusterselector).
const spellings: ReadonlyMap<string, Operator> = new Map([
  ['=', 'In'],
  ['==', 'In'],
  ['in', 'In'],
  ['In', 'In'],
  ['!=', 'NotIn'],
  ['notin', 'NotIn'],
  ['NotIn', 'NotIn'],
  ['exists', 'Exists'],
  ['Exists', 'Exists'],
  ['!', 'DoesNotExist'],
  ['DoesNotExist', 'DoesNotExist'],
  ['gt', 'Gt'],
  ['Gt', 'Gt'],
  ['>', 'Gt'],
  ['lt', 'Lt'],
  ['Lt', 'Lt'],
  ['<', 'Lt'],
]);

const exactlyOne: ReadonlySet<string> = new Set(['=', '==', '!=']);

/** The requirements, or why the annotation cannot be read. */
export function parseV1Selector(text: string): readonly Requirement[] | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return 'not JSON; expected [{"key": "...", "operator": "In", "values": ["..."]}]';
  }
  if (!Array.isArray(parsed)) return 'expected a JSON list of {key, operator, values}';
  const requirements: Requirement[] = [];
  for (const [index, item] of parsed.entries()) {
    const requirement = parseRequirement(item);
    if (typeof requirement === 'string') return `[${index}]: ${requirement}`;
    requirements.push(requirement);
  }
  return requirements;
}

function parseRequirement(item: unknown): Requirement | string {
  if (typeof item !== 'object' || item === null) return 'expected an object';
  const { key, operator, values = [] } = item as Readonly<Record<string, unknown>>;
  if (typeof key !== 'string' || key === '') return 'key: expected a label key';
  const known = typeof operator === 'string' ? spellings.get(operator) : undefined;
  if (known === undefined) return `operator: expected one of ${[...spellings.keys()].join(' ')}`;
  if (
    !Array.isArray(values) ||
    !values.every((value): value is string => typeof value === 'string')
  ) {
    return 'values: expected a list of strings';
  }
  if (known === 'Exists' || known === 'DoesNotExist') {
    return values.length === 0 ? { key, operator: known, values } : `values: ${known} takes none`;
  }
  if (values.length === 0) return `values: ${known} needs at least one`;
  // As v1, whose requirements were those of Kubernetes' label selectors (labels.NewRequirement).
  if (exactlyOne.has(String(operator)) && values.length !== 1)
    return `values: ${String(operator)} needs exactly one; in and notin take several`;
  if ((known === 'Gt' || known === 'Lt') && (values.length > 1 || !isWhole(values[0]))) {
    return `values: ${known} needs one whole number`;
  }
  return { key, operator: known, values };
}
