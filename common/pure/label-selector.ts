// Kubernetes' label selectors: which labels meet what is required of them. The operators are those of
// labels.Requirement (k8s.io/apimachinery); Gt and Lt are Federation v1's only.

export type Operator = 'In' | 'NotIn' | 'Exists' | 'DoesNotExist' | 'Gt' | 'Lt';

export interface Requirement {
  readonly key: string;
  readonly operator: Operator;
  readonly values: readonly string[];
}

export function matchesSelector(
  labels: Readonly<Record<string, string>>,
  requirements: readonly Requirement[],
): boolean {
  // Own members only: a key such as `constructor` is a label like any other.
  return requirements.every((requirement) => {
    const { key } = requirement;
    return matchesOne(Object.hasOwn(labels, key) ? labels[key] : undefined, requirement);
  });
}

function matchesOne(value: string | undefined, { operator, values }: Requirement): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return isWhole(value) && Number(value) > Number(values[0]);
    case 'Lt':
      return isWhole(value) && Number(value) < Number(values[0]);
  }
}

export function isWhole(text: string | undefined): boolean {
  return text !== undefined && /^-?\d{1,15}$/.test(text);
}
