// When V8 stopped this thread to collect garbage. Adapter (perf_hooks).
//
// Node tells of a collection some turns after it: who asks what a turn was spent on has to wait for
// the next one.

import { PerformanceObserver, constants, type PerformanceEntry } from 'node:perf_hooks';

export interface GcPause {
  /** As Clock.monotonicMs. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly kind: GcKind;
}

/** Of young objects, of all at the end of marking, a step of marking, of weak references. */
export type GcKind = 'minor' | 'major' | 'incremental' | 'weak';

const kinds: Readonly<Record<number, GcKind>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weak',
};

/** Returns what ends it. */
export function watchGcPauses(onPause: (pause: GcPause) => void): () => void {
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const { startTime: startMs, duration: durationMs } = entry;
      onPause({ startMs, durationMs, kind: kinds[detailOf(entry).kind] ?? 'major' });
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}

/** Of entries of this type, by Node's documentation; its types do not say so. */
function detailOf(entry: PerformanceEntry): { readonly kind: number } {
  return (entry as PerformanceEntry & { readonly detail: { readonly kind: number } }).detail;
}
