// Members of objects by names that somebody else chose. Pure.

/** Also for `__proto__`, which is a legal key of ConfigMaps and annotations: assigned, it would be the prototype. */
export function setMember(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== '__proto__') {
    object[key] = value;
    return;
  }
  Object.defineProperty(object, key, {
    value,
    configurable: true,
    enumerable: true,
    writable: true,
  });
}
