// When agents are told of changed peers: soon after the first change, all links from one timer, so
// that most are equally far and share their messages. Input: changes, links. Output: calls of
// tellPeers. Work is proportional to the links and the changes, not to their product.

import type { PeerSource } from '../../common/model/views.ts';
import type { Clock, Timer } from '../../common/runtime/clock.ts';
import type { AgentLink } from './link.ts';
import type { PeerJournal } from './peer-journal.ts';

// Changes come in bursts, one per shard of a Service; one message carries them all.
const gatherMs = 50;
// Each telling costs a message per agent, and each agent a commit to its disk. With many of them
// the next one waits longer and carries more: 100 agents are told twice a second at most.
const restPerLinkMs = 5;
// Below the time in which a cluster's own probes would find a dead peer.
const restMaxMs = 1_000;
// A message per link costs some 20 µs.
const linksPerTurn = 200;

/** Tells until it is stopped. */
export function startPeerTelling(options: {
  readonly peers: PeerSource;
  readonly journal: PeerJournal;
  readonly links: () => Iterable<AgentLink>;
  readonly clock: Clock;
}): () => void {
  const { journal, links, clock } = options;
  let timer: Timer | undefined;
  let isDue = false;
  let isStopped = false;

  const schedule = (): void => {
    timer ??= clock.after(gatherMs, () => tell([...links()], 0));
  };

  const tell = (told: readonly AgentLink[], from: number): void => {
    if (isStopped) return;
    if (from === 0) isDue = false;
    for (const link of told.slice(from, from + linksPerTurn)) link.tellPeers();
    if (from + linksPerTurn < told.length) {
      clock.soon(() => tell(told, from + linksPerTurn));
      return;
    }
    forget();
    const restMs = Math.min(restMaxMs, told.length * restPerLinkMs);
    timer = clock.after(restMs, () => {
      timer = undefined;
      if (isDue) schedule();
    });
  };

  /** What all links were told; a slow one makes the journal remember more, up to its bound. */
  const forget = (): void => {
    let least = journal.head;
    for (const { toldPeers } of links()) least = Math.min(least, toldPeers ?? least);
    journal.forgetUntil(least);
  };

  const unsubscribe = options.peers.subscribe((due) => {
    journal.note(due);
    isDue = true;
    schedule();
  });
  return () => {
    isStopped = true;
    unsubscribe();
    timer?.cancel();
  };
}
