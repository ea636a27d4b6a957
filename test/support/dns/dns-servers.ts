// BIND 9, Knot and PowerDNS as a test starts them: what each needs to take our updates.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { secretText, zoneFile, type DnsServerKind, type ServerSetup } from './dns-server.ts';

const ourTypes = ['A', 'AAAA', 'CNAME', 'TXT', 'SRV'];

export const bind: DnsServerKind = {
  name: 'bind',
  needs: ['/usr/sbin/named'],
  prepare: (setup) => {
    const file = join(setup.folder, 'named.conf');
    writeFileSync(file, bindConfig(setup));
    for (const zone of setup.zones) writeFileSync(join(setup.folder, zone), zoneFile(zone));
    return { path: '/usr/sbin/named', flags: ['-g', '-n', '1', '-c', file] };
  },
};

function bindConfig(setup: ServerSetup): string {
  const { folder, port, zones, ours, other } = setup;
  const keys = [ours, other].map(
    (key) => `key "${key.name}." { algorithm hmac-sha256; secret "${secretText(key)}"; };`,
  );
  const blocks = zones.map(
    (zone) => `zone "${zone}" { type primary; file "${zone}";
      update-policy {
        grant "${ours.name}." subdomain ${zone}. ${ourTypes.join(' ')};
        grant "${other.name}." zonesub ANY; }; };`,
  );
  return `options { directory "${folder}"; pid-file none; session-keyfile none;
    listen-on port ${port} { 127.0.0.1; }; listen-on-v6 port ${port} { ::1; };
    recursion no; dnssec-validation no; notify no;
    allow-transfer { key "${ours.name}."; key "${other.name}."; }; };
  controls { };
  ${keys.join('\n')}
  ${blocks.join('\n')}
  `;
}

export const knot: DnsServerKind = {
  name: 'knot',
  needs: ['/usr/sbin/knotd'],
  prepare: (setup) => {
    const file = join(setup.folder, 'knot.conf');
    writeFileSync(file, knotConfig(setup));
    for (const zone of setup.zones) writeFileSync(join(setup.folder, zone), zoneFile(zone));
    return { path: '/usr/sbin/knotd', flags: ['-c', file] };
  },
};

/** What every Knot of ours begins with: small, and its databases in the folder. */
export function knotHouse(folder: string, port: number): string {
  return `server:
    listen: 127.0.0.1@${port}
    rundir: ${folder}
    udp-workers: 1
    tcp-workers: 2
    background-workers: 1
database:
    storage: ${folder}
    journal-db-max-size: 64M
    kasp-db-max-size: 10M
    timer-db-max-size: 10M
    catalog-db-max-size: 10M
log:
  - target: stderr
    any: info
`;
}

// Files and journal as Knot's defaults have them. With `zonefile-sync: -1` and `zonefile-load:
// difference-no-serial` each start takes the zone back to what its file says.
function knotConfig({ folder, port, zones, ours, other }: ServerSetup): string {
  const keys = [ours, other].map(
    (key) => `  - id: ${key.name}\n    algorithm: hmac-sha256\n    secret: ${secretText(key)}`,
  );
  const blocks = zones.map((zone) => `  - domain: ${zone}\n    file: ${zone}`);
  return `${knotHouse(folder, port)}key:
${keys.join('\n')}
acl:
  - id: ours-update
    key: ${ours.name}
    action: update
    update-type: [${ourTypes.join(', ')}]
    update-owner: name
    update-owner-match: sub-or-equal
    update-owner-name: [${zones.map((zone) => `${zone}.`).join(', ')}]
  - id: ours-transfer
    key: ${ours.name}
    action: transfer
  - id: theirs
    key: ${other.name}
    action: [update, transfer]
template:
  - id: default
    storage: ${folder}
    acl: [ours-update, ours-transfer, theirs]
zone:
${blocks.join('\n')}
`;
}

const schemas = [
  '/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql',
  '/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql',
];

/** Of the database that it makes no tables in itself. */
export function pdnsSchema(): string {
  return schemas.find((path) => existsSync(path)) ?? '';
}

export const powerDns: DnsServerKind = {
  name: 'powerdns',
  isSerial: true, // SQLite's database is locked for the second, which PowerDNS answers SERVFAIL
  needs: ['/usr/sbin/pdns_server', '/usr/bin/sqlite3', schemas[0] ?? ''],
  prepare: (setup) => {
    const { folder, port } = setup;
    const database = join(folder, 'zones.db');
    const schema = pdnsSchema();
    execFileSync('/usr/bin/sqlite3', [database], {
      // Its other threads read meanwhile; without this a write finds the database locked at times.
      input: `PRAGMA journal_mode=WAL;\n${readFileSync(schema, 'utf8')}\n${powerDnsRows(setup)}`,
    });
    const settings = [
      'launch=gsqlite3',
      `gsqlite3-database=${database}`,
      'gsqlite3-dnssec=yes',
      'local-address=127.0.0.1',
      `local-port=${port}`,
      `socket-dir=${folder}`,
      'setuid=',
      'setgid=',
      'daemon=no',
      'guardian=no',
      'primary=yes',
      'dnsupdate=yes',
      'allow-dnsupdate-from=127.0.0.0/8',
      'zone-cache-refresh-interval=0',
    ];
    writeFileSync(join(folder, 'pdns.conf'), `${settings.join('\n')}\n`);
    return { path: '/usr/sbin/pdns_server', flags: [`--config-dir=${folder}`] };
  },
};

/** As `pdnsutil` would write them, of which each call costs a start of the program. */
function powerDnsRows({ zones, ours, other }: ServerSetup): string {
  const rows = ['BEGIN;'];
  for (const key of [ours, other]) {
    rows.push(
      `INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('${key.name}', 'hmac-sha256', '${secretText(key)}');`,
    );
  }
  for (const [index, zone] of zones.entries()) {
    const id = index + 1;
    const record = (type: string, content: string): string =>
      `INSERT INTO records (domain_id, name, type, content, ttl, auth) VALUES (${id}, '${zone}', '${type}', '${content}', 300, 1);`;
    const meta = (kind: string, content: string): string =>
      `INSERT INTO domainmetadata (domain_id, kind, content) VALUES (${id}, '${kind}', '${content}');`;
    rows.push(
      `INSERT INTO domains (id, name, type) VALUES (${id}, '${zone}', 'MASTER');`,
      record('SOA', `ns1.${zone} hostmaster.${zone} 1 3600 600 86400 60`),
      record('NS', 'ns1.example.net'),
      record('NS', 'ns2.example.net'),
      meta('SOA-EDIT-DNSUPDATE', 'INCREASE'),
    );
    for (const { name } of [ours, other])
      rows.push(meta('TSIG-ALLOW-DNSUPDATE', name), meta('TSIG-ALLOW-AXFR', name));
  }
  return [...rows, 'COMMIT;'].join('\n');
}
