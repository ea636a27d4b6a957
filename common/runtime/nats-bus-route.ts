// The way to the servers of the bus: direct, or one of them at a time through a tunnel.

import type { Chance } from './chance.ts';
import type { BusTls } from './nats-bus-login.ts';
import type { Tunnels } from './proxy-tunnel.ts';
import { formatAddress } from './settings.ts';

export interface BusRoute {
  readonly url: string;
  /** Of the server's certificate; undefined where the URL names it. */
  readonly servername: string | undefined;
}

interface Routed {
  readonly servers: readonly string[];
  /** As the package takes it. */
  readonly tls: {
    readonly servername?: string;
    readonly ca?: string;
    readonly cert: string;
    readonly key: string;
  };
}

/** Through a tunnel all servers have one address, so that one is chosen for each attempt. */
export async function routeAny(of: {
  readonly urls: readonly string[];
  readonly route?: ((url: string) => Promise<BusRoute>) | undefined;
  readonly tls: () => BusTls;
  readonly chance: Chance;
}): Promise<Routed> {
  const { urls, route, chance } = of;
  const { caPem, certPem, keyPem } = of.tls();
  const tls = { ...(caPem === undefined ? {} : { ca: caPem }), cert: certPem, key: keyPem };
  const chosen = urls[Math.floor(chance.fraction() * urls.length)];
  if (route === undefined || chosen === undefined) return { servers: urls, tls };
  const { url, servername } = await route(chosen);
  return servername === undefined
    ? { servers: urls, tls }
    : { servers: [url], tls: { ...tls, servername } };
}

const natsPort = 4222;

/** The same URL where no proxy is in between. */
export async function routeThrough(tunnels: Tunnels, url: string): Promise<BusRoute> {
  const { hostname, port, protocol } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  const target = { host, port: port === '' ? natsPort : Number(port) };
  const near = await tunnels.to(target);
  if (near === target) return { url, servername: undefined };
  return { url: `${protocol}//${formatAddress(near)}`, servername: host };
}
