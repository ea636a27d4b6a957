// A server's address as people write it: host:port, with brackets around an IPv6 host.

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

const portMax = 65_535;

/** undefined when `text` is none: no host, no port, a port out of 1 to 65535, IPv6 without brackets. */
export function parseHostPort(text: string): HostPort | undefined {
  const found = /^(?:\[([^[\]]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const host = found?.[1] ?? found?.[2];
  const port = Number(found?.[3]);
  if (host === undefined || port < 1 || port > portMax) return undefined;
  return { host, port };
}
