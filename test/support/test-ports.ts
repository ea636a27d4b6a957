// Free ports for servers that tests start, as the demo takes them.

import { systemChance } from '../../common/runtime/chance.ts';
import { takePorts } from '../../demo/ports.ts';

/** By name; free for TCP and UDP. */
export async function takeTestPorts<Name extends string>(
  names: readonly Name[],
): Promise<ReadonlyMap<string, number>> {
  const wishes = names.map((name) => ({ name, what: name, port: 0, isUdpToo: true }));
  return takePorts(wishes, { isAnyPort: true, chance: systemChance, earlier: {} });
}

export async function takeTestPort(): Promise<number> {
  const [port] = (await takeTestPorts(['test'])).values();
  return port ?? 0;
}
