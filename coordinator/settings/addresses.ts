// Where this process listens, and under which names and addresses others reach it. From settings.

import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { formatAddress, type Address, type SettingValues } from '../../common/runtime/settings.ts';

/** The setting of this name, which has a default. */
export function addressOf(settings: SettingValues, name: string): Address {
  return settings.address(name) ?? { host: '127.0.0.1', port: 0 }; // every address has a default
}

/** Names for certificates: what was asked for, and what we listen on. */
export function hostsOf(settings: SettingValues): readonly string[] {
  const listened = ['api-listen', 'mesh-listen', 'nats-listen'].map(
    (name) => addressOf(settings, name).host,
  );
  const hosts = [...settings.list('advertise'), ...listened, hostname()];
  return [...new Set(hosts)].filter((host) => host !== '0.0.0.0' && host !== '::');
}

/** As a kube-apiserver advertises itself: as told, else where it listens, else the host's own. */
export function apiHosts(settings: SettingValues): readonly string[] {
  const told = settings.list('advertise').filter((host) => isIP(host) !== 0);
  if (told.length > 0) return told;
  const { host } = addressOf(settings, 'api-listen');
  if (isIP(host) !== 0 && host !== '0.0.0.0' && host !== '::') return [host];
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  const outer = own.find(({ internal, family }) => !internal && family === 'IPv4');
  return [outer?.address ?? reachable(host)];
}

/** What agents elsewhere dial: the first name that we are known by, else where we listen. */
export function meshAddress(settings: SettingValues, port: number): string {
  const [told] = settings.list('advertise');
  return told === undefined
    ? at(settings, 'mesh-listen', port)
    : formatAddress({ host: told, port });
}

/** The wildcard as an address to dial. */
export function reachable(host: string): string {
  return host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
}

/** As a client on this host reaches it; `port` is the one that was bound. */
export function at(settings: SettingValues, name: string, port: number): string {
  return formatAddress({ host: reachable(addressOf(settings, name).host), port });
}
