// Walks of one Service through writes, and what of each answer is compared with a real server's:
// everything but what differs from run to run (uids, times, revisions, numbers drawn from a range).

export interface ScenarioStep {
  /** `put` reads the Service, changes it by `change`, and puts it back. */
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'GET';
  /** Below `/services`: the name, and a subresource; empty for a create. */
  readonly at?: string;
  readonly body?: object;
}

export interface Scenario {
  readonly title: string;
  /** Numbers of the checklist. */
  readonly items: string;
  readonly isDual?: boolean;
  readonly steps: readonly ScenarioStep[];
}

export interface StepAnswer {
  readonly status: number;
  readonly warnings: readonly string[];
  readonly body: Readonly<Record<string, unknown>>;
}

export type Send = (step: ScenarioStep) => Promise<{
  readonly status: number;
  readonly warnings: readonly string[];
  readonly json: Readonly<Record<string, unknown>>;
}>;

/** Plays a scenario; the answers with drawn numbers named in the order in which they come. */
export async function playScenario(scenario: Scenario, send: Send): Promise<readonly StepAnswer[]> {
  const names = new Map<string, string>();
  const answers: StepAnswer[] = [];
  for (const step of scenario.steps) {
    const { status, warnings, json } = await send(step);
    answers.push({ status, warnings, body: nameDrawn(toCompared(json), names) });
  }
  return answers;
}

function toCompared(json: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { kind, message, reason, spec, status, code } = json;
  if (kind === 'Status') return { message, reason: reason ?? null, code };
  const metadata = json['metadata'] as Readonly<Record<string, unknown>>;
  const { annotations = null, labels = null, generation = null } = metadata;
  return { spec, status, metadata: { annotations, labels, generation } };
}

// Chosen ones of the scenarios are below 10.96.1.0, fd00::1:0 and 30086, where nothing is drawn
// while there is room above (KEP-3070).
const drawn = [
  { name: 'address', isText: true, pattern: /\b10\.96\.(?!0\.)\d+\.\d+\b/g },
  { name: 'address6', isText: true, pattern: /\bfd00::[1-9a-f][0-9a-f]{2,3}\b/g },
  {
    name: 'port',
    isText: false,
    pattern: /(?<=[a-z]":)(3008[6-9]|3009\d|30[1-9]\d\d|31\d{3}|32[0-7]\d\d)\b/g,
  },
] as const;

function nameDrawn(
  body: Readonly<Record<string, unknown>>,
  names: Map<string, string>,
): Readonly<Record<string, unknown>> {
  let text = JSON.stringify(body);
  for (const { name, isText, pattern } of drawn) {
    text = text.replace(pattern, (found) => {
      const known = names.get(found) ?? `<${name} ${names.size + 1}>`;
      names.set(found, known);
      return isText ? known : JSON.stringify(known);
    });
  }
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}

export const port80 = { ports: [{ port: 80 }] };
export const alias = { type: 'ExternalName', externalName: 'a.example' };

export function create(spec: object, metadata: object = {}): ScenarioStep {
  return { method: 'POST', body: { spec, metadata: { name: 'web', ...metadata } } };
}

export function patch(spec: object, more: object = {}): ScenarioStep {
  return { method: 'PATCH', at: 'web', body: { spec, ...more } };
}

export function patchStatus(body: object): ScenarioStep {
  return { method: 'PATCH', at: 'web/status', body };
}
