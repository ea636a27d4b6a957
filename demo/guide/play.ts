// Plays the guide: every step in order, one line each, and a last line that counts.

import { join } from 'node:path';
import type { Clock } from '../../common/runtime/clock.ts';
import type { ControlAnswer } from '../control-socket.ts';
import type { DemoFile } from '../demo-file.ts';
import type { Layout } from '../layout.ts';
import { createKubectl } from './kubectl-program.ts';
import { createSteps } from './steps-create.ts';
import { editSteps } from './steps-edit.ts';
import { failureSteps } from './steps-failure.ts';
import { healthSteps } from './steps-health.ts';
import { StepFailure, type Step } from './step.ts';
import { createWorld, type World } from './world.ts';

const steps: readonly Step[] = [...createSteps, ...healthSteps, ...failureSteps, ...editSteps];
// The promise is five minutes with everything; starting and stopping take their part of it.
const playMs = 270_000;
// API servers of the members are restarted one after the other, some seconds each.
const realPlayMs = 600_000;

/** True when every step was ok. */
export async function playGuide(options: {
  readonly file: DemoFile;
  readonly layout: Layout;
  readonly act: (verb: string, part: string) => Promise<ControlAnswer>;
  /** Members with a real API server. */
  readonly isReal: boolean;
  readonly clock: Clock;
  readonly say: (text: string) => void;
}): Promise<boolean> {
  const { file, layout, clock, say } = options;
  const kubectl = createKubectl({
    kubeconfig: layout.kubeconfig,
    cacheDir: join(layout.dir, 'kubectl-cache'),
    clock,
  });
  const world = createWorld({ demo: file, kubectl, act: options.act, clock });
  const until = clock.monotonicMs() + (options.isReal ? realPlayMs : playMs);
  let ok = 0;
  for (const [index, step] of steps.entries()) {
    const start = clock.monotonicMs();
    const outcome =
      start > until ? { ok: false, saw: 'no time was left' } : await playStep(step, world);
    if (outcome.ok) ok += 1;
    const seconds = ((clock.monotonicMs() - start) / 1000).toFixed(1);
    say(
      `step ${index + 1} ${outcome.ok ? 'ok' : 'FAILED'}: ${step.title}: ${outcome.saw} (${seconds} s)`,
    );
  }
  say(`${ok} of ${steps.length} steps ok`);
  return ok === steps.length;
}

async function playStep(
  step: Step,
  world: World,
): Promise<{ readonly ok: boolean; readonly saw: string }> {
  try {
    return { ok: true, saw: toOneLine(await step.run(world)) };
  } catch (error) {
    if (error instanceof StepFailure) return { ok: false, saw: toOneLine(error.message) };
    // A fault of the demo itself, not of what it looks at: say where.
    return {
      ok: false,
      saw: toOneLine(error instanceof Error ? (error.stack ?? error.message) : String(error)),
    };
  }
}

function toOneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' / ');
}
