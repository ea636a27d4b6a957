// The way out of a site that has only one: connections to other hosts go through an HTTP proxy, by
// CONNECT (RFC 9110 9.3.6). Libraries that know no proxy, or each another one, are given an address
// on this machine instead; TLS goes through it from end to end.
//
// As is usual, HTTPS_PROXY names the proxy and NO_PROXY the hosts that are reached without, with
// commas: names and everything below them, addresses, ranges, or `*`. Loopback is always direct.

import { BlockList, createServer, isIP, connect as connectTcp, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { MeshError } from '../pure/errors.ts';
import type { Clock } from './clock.ts';
import { describeError, type Log } from './log.ts';
import { formatAddress, type Address } from './settings.ts';

export interface ProxyRules {
  /** undefined: no proxy. */
  readonly proxy: URL | undefined;
  readonly direct: (host: string) => boolean;
}

export interface Tunnels {
  /** Where to connect to reach `target`: itself, or a listener of ours that leads there. */
  to(target: Address): Promise<Address>;
  close(): Promise<void>;
}

const connectMs = 10_000;
const headBytesMax = 16 * 1024;
const loopback = '127.0.0.1';

/** Reads both spellings. Throws MeshError fatal PROXY_INVALID. */
export function readProxyRules(env: Readonly<Record<string, string | undefined>>): ProxyRules {
  const pick = (name: string): string =>
    (env[name.toLowerCase()] ?? env[name.toUpperCase()] ?? '').trim();
  const text = pick('https_proxy');
  const direct = toDirect(pick('no_proxy').split(','));
  if (text === '') return { proxy: undefined, direct };
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy === undefined || !/^https?:$/.test(proxy.protocol) || proxy.hostname === '') {
    // It may hold a password: it is not repeated.
    throw new MeshError(
      'fatal',
      'PROXY_INVALID',
      'HTTPS_PROXY is not the URL of a proxy, such as http://proxy.example.com:3128',
    );
  }
  return { proxy, direct };
}

function toDirect(entries: readonly string[]): (host: string) => boolean {
  const names = entries.map((entry) => entry.trim().toLowerCase()).filter((entry) => entry !== '');
  const ranges = new BlockList();
  ranges.addSubnet('127.0.0.0', 8);
  ranges.addAddress('::1', 'ipv6');
  for (const name of names) {
    const [address = '', bits = ''] = name.split('/');
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    if (isIP(address) === 0) continue;
    const most = family === 'ipv6' ? 128 : 32;
    const length = bits === '' ? most : Number(bits);
    if (Number.isInteger(length) && length >= 0 && length <= most) {
      ranges.addSubnet(address, length, family);
    }
  }
  return (given) => {
    const host = given.toLowerCase().replace(/\.$/, '');
    const version = isIP(host);
    if (version !== 0) {
      return names.includes('*') || ranges.check(host, version === 6 ? 'ipv6' : 'ipv4');
    }
    return (
      host === 'localhost' ||
      names.some((name) => {
        const suffix = name.replace(/^\*?\./, '');
        return name === '*' || host === suffix || host.endsWith(`.${suffix}`);
      })
    );
  };
}

export function openTunnels(
  rules: ProxyRules,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Tunnels {
  const listening = new Map<string, Promise<Address>>();
  const closings: (() => Promise<void>)[] = [];
  let trouble: string | undefined;
  const note = (target: string, why: string | undefined): void => {
    if (why !== undefined && why !== trouble) {
      log.warn('the proxy does not lead there', { target, reason: why });
    }
    trouble = why;
  };
  const listen = (proxy: URL, target: Address): Promise<Address> =>
    new Promise((resolve, reject) => {
      const at = formatAddress(target);
      const open = new Set<Socket>();
      const server = createServer((near) => {
        open.add(near);
        near.on('error', () => undefined).on('close', () => open.delete(near));
        lead(near, { proxy, at, clock, note: (why) => note(at, why) });
      });
      server.once('error', reject);
      server.listen(0, loopback, () => {
        resolve({ host: loopback, port: (server.address() as AddressInfo).port }); // TCP
      });
      closings.push(
        () =>
          new Promise((closed) => {
            server.close(() => closed());
            for (const socket of open) socket.destroy();
          }),
      );
    });
  return {
    to: (target) => {
      const { proxy, direct } = rules;
      if (proxy === undefined || direct(target.host)) return Promise.resolve(target);
      const key = formatAddress(target);
      const known = listening.get(key) ?? listen(proxy, target);
      listening.set(key, known);
      return known;
    },
    close: async () => {
      await Promise.all(closings.map((close) => close()));
    },
  };
}

/** Connects `near` with `at` through the proxy, or ends it. */
function lead(
  near: Socket,
  of: {
    readonly proxy: URL;
    readonly at: string;
    readonly clock: Clock;
    readonly note: (why: string | undefined) => void;
  },
): void {
  const { proxy, at, clock, note } = of;
  const far = dial(proxy);
  const fail = (why: string): void => {
    timer.cancel();
    note(why);
    near.destroy();
    far.destroy();
  };
  const timer = clock.after(connectMs, () => fail(`no answer in ${connectMs} ms`));
  let head = Buffer.alloc(0);
  const onData = (bytes: Buffer): void => {
    head = Buffer.concat([head, bytes]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) {
      if (head.length > headBytesMax) fail('it answers something else than HTTP');
      return;
    }
    const [line = ''] = head.toString('latin1').split('\r\n', 1);
    if (!/^HTTP\/1\.[01] 2\d\d( |$)/.test(line)) return fail(`it answered ${line.slice(0, 100)}`);
    timer.cancel();
    note(undefined);
    far.off('data', onData).off('error', onError);
    far.on('error', () => near.destroy());
    const rest = head.subarray(end + 4);
    if (rest.length > 0) near.write(rest);
    near.pipe(far);
    far.pipe(near);
  };
  const onError = (error: Error): void => fail(describeError(error));
  near.setNoDelay(true);
  near.on('close', () => far.destroy());
  far.on('close', () => near.destroy());
  far.setNoDelay(true);
  far.on('error', onError);
  far.on('data', onData);
  far.write(toConnect(proxy, at));
}

function dial(proxy: URL): Socket {
  const isTls = proxy.protocol === 'https:';
  const host = proxy.hostname.replace(/^\[|\]$/g, '');
  const port = Number(proxy.port === '' ? (isTls ? 443 : 80) : proxy.port);
  return isTls ? connectTls({ host, port, servername: host }) : connectTcp({ host, port });
}

function toConnect(proxy: URL, at: string): string {
  const user = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  const login = Buffer.from(user).toString('base64');
  return [
    `CONNECT ${at} HTTP/1.1`,
    `Host: ${at}`,
    ...(proxy.username === '' ? [] : [`Proxy-Authorization: Basic ${login}`]),
    '',
    '',
  ].join('\r\n');
}
