// Whose a local TCP socket is: from /proc, as `ss -p` reads it. Linux only.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Whether process `pid` has a TCP socket with this local port. */
export function hasLocalPort(pid: number, port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const inodes = new Set(
    readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local]) => local?.endsWith(suffix) === true)
      .flatMap((fields) => fields[9] ?? []),
  );
  return readdirSync(`/proc/${pid}/fd`).some((fd) => {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    } catch {
      return false; // closed meanwhile
    }
  });
}
