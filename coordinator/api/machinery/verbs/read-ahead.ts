// Reads the long body of a write before anything else looks at it, by its media type.

import type { Json } from '../../../../common/model/kube-object.ts';
import type { ApiOptions, ApiRequest } from '../api.ts';
import { bodyType } from '../request/negotiate.ts';
import { refuseHuge } from '../rules/object-size.ts';
import { parseAhead, type BodyFormat, type ParsedAhead } from '../schema/parse-ahead.ts';
import type { WriteTools } from './write.ts';

const jsonPatchType = 'application/json-patch+json';

/** Of the bodies that are text; others are refused, or decoded, where they are decoded. */
const bodyFormats: ReadonlyMap<string, BodyFormat> = new Map([
  ['application/json', 'json'],
  [jsonPatchType, 'json'],
  ['application/merge-patch+json', 'json'],
  ['application/strategic-merge-patch+json', 'json'],
  ['application/yaml', 'yaml'],
  ['application/apply-patch+yaml', 'apply'],
] as const);

/** Undefined for a short body. Throws 413 for what is too much, 429 when too much YAML waits. */
export async function readAhead(of: {
  readonly request: ApiRequest;
  readonly tools: Pick<WriteTools, 'rest'>;
  readonly options: Pick<ApiOptions, 'readYaml'>;
  /** Told what a long body says. */
  readonly onRead: (value: Json) => void;
}): Promise<ParsedAhead | undefined> {
  const { request, tools, options, onRead } = of;
  const type = bodyType(request.headers['content-type']);
  const format = bodyFormats.get(type);
  if (format === undefined) return undefined;
  const bytes = request.body;
  const ahead = await parseAhead({ bytes, format }, tools.rest, options.readYaml);
  const { json, yaml } = ahead ?? {};
  if (json !== undefined && 'value' in json && type !== jsonPatchType) refuseHuge(json.value);
  if (yaml !== undefined && 'value' in yaml) onRead(yaml.value);
  else if (json !== undefined && 'value' in json) onRead(json.value);
  if (ahead !== undefined) await tools.rest();
  return ahead;
}
