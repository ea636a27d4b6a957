// I5. No alias leads nowhere: in every state that is published, each name ends in an address.

import { decode } from 'dns-packet';
import { readPublication } from '../../../common/pure/publication-object.ts';
import type { SimCoordinator } from '../sim-coordinator.ts';
import type { SimDisk, Written } from '../sim-store.ts';
import type { Blame, Checker } from './checker.ts';

export function createAliasChecker(
  options: { readonly disk: SimDisk; readonly coordinator: SimCoordinator },
  blame: Blame,
): Checker {
  let isDue = false;

  const onWritten = ({ resource, object, isDelete }: Written): void => {
    if (resource === 'publications' || resource === 'clusters') isDue = true;
    const publication = resource === 'publications' ? readPublication(object) : undefined;
    if (publication === undefined || isDelete) return;
    const byName = new Map(publication.recordSets.map((set) => [set.name, set]));
    for (const start of publication.recordSets) {
      let set = start;
      for (let steps = 0; set.type === 'CNAME'; steps += 1) {
        const next = byName.get(set.values[0] ?? '');
        if (next === undefined || steps > 3) {
          return blame(`${start.name} leads to ${set.values.join()}, which has no records`);
        }
        set = next;
      }
      if (set.values.length === 0) return blame(`${start.name} ends in no address`);
    }
  };

  const onStep = (): void => {
    const { serving } = options.coordinator;
    if (!isDue || serving === undefined) return;
    isDue = false;
    for (const object of options.disk.objects('publications')) {
      for (const { name } of readPublication(object)?.recordSets ?? []) {
        if (name.startsWith('_')) continue; // ports, which have no addresses
        const { reply } = serving.zone.query(name, 'A');
        const answers = reply === undefined ? [] : (decode(Buffer.from(reply)).answers ?? []);
        if (answers.some(({ type }) => type === 'A')) continue;
        if (answers.length > 0) blame(`the zone answers ${name} with aliases that lead nowhere`);
      }
    }
  };

  return { invariant: 'I5', onWritten, onStep };
}
