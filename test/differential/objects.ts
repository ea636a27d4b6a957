// The objects that the cases write, in the fewest words.

type Fields = Readonly<Record<string, unknown>>;

export const port80 = { port: 80 };

export function service(name: string, spec: Fields = {}, metadata: Fields = {}): Fields {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, ...metadata },
    spec: { ports: [port80], ...spec },
  };
}

export function configMap(name: string, data: Fields = {}, more: Fields = {}): Fields {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data, ...more };
}

export function namespace(name: string, metadata: Fields = {}): Fields {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, ...metadata } };
}

/** A value that JSON.stringify would not write. */
export const text = {
  long: (length: number): string => 'x'.repeat(length),
};
