// Between the coordinator and its YAML thread.

import type { Json } from '../../../common/model/kube-object.ts';
import { assertNever } from '../../../common/pure/errors.ts';
import { ApiError, type StatusBody } from '../machinery/answer/status-error.ts';
import { parseYamlBody, YamlSyntaxError, type ParsedYaml } from '../machinery/schema/yaml-body.ts';

/**
 * What the thread says of one text: errors travel as what they are made of, a value as JSON. V8's
 * own copy of 1,200 members takes 3 to 5 ms to read, its JSON a tenth of that.
 */
export type YamlAnswer =
  | { readonly kind: 'parsed'; readonly json: string; readonly duplicates: readonly string[] }
  | { readonly kind: 'no YAML'; readonly message: string }
  | { readonly kind: 'refused'; readonly status: StatusBody }
  | { readonly kind: 'fault'; readonly message: string };

/** On the thread: never throws. */
export function answerYaml(text: string): YamlAnswer {
  try {
    const { value, duplicates } = parseYamlBody(text);
    return { kind: 'parsed', json: JSON.stringify(value), duplicates };
  } catch (error) {
    if (error instanceof YamlSyntaxError) return { kind: 'no YAML', message: error.message };
    if (error instanceof ApiError) return { kind: 'refused', status: error.status };
    return { kind: 'fault', message: error instanceof Error ? error.message : String(error) };
  }
}

/** What parseYamlBody would have returned, or thrown. */
export function fromYamlAnswer(answer: YamlAnswer): ParsedYaml {
  switch (answer.kind) {
    case 'parsed':
      return { value: JSON.parse(answer.json) as Json, duplicates: answer.duplicates }; // as above
    case 'no YAML':
      throw new YamlSyntaxError(answer.message);
    case 'refused':
      throw new ApiError(answer.status);
    case 'fault':
      throw new Error(`the YAML thread failed: ${answer.message}`);
    default:
      return assertNever(answer);
  }
}
