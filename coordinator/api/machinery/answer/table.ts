// Server-side tables and metadata-only forms of objects. Pure; `nowMs` is for ages.

import type { KubeObject } from '../../../../common/model/kube-object.ts';
import type { KindDefinition } from '../kind.ts';
import type { AnswerForm, MetaVersion } from '../request/negotiate.ts';

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export interface ListMeta {
  readonly resourceVersion: string;
  readonly continue?: string | undefined;
  readonly remainingItemCount?: number | undefined;
}

export interface TableOptions {
  readonly kind: KindDefinition;
  readonly metaVersion: MetaVersion;
  readonly includeObject: IncludeObject;
  readonly nowMs: number;
  /** A watch sends the column definitions in its first event only. */
  readonly withColumns: boolean;
}

export function toTable(rows: readonly object[], meta: ListMeta, options: TableOptions): object {
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${options.metaVersion}`,
    metadata: meta,
    columnDefinitions: options.withColumns ? toColumnDefinitions(options.kind) : null,
    rows,
  };
}

export function toColumnDefinitions(kind: KindDefinition): readonly object[] {
  return kind.columns.map(toColumnDefinition);
}

function toColumnDefinition(column: KindDefinition['columns'][number]): object {
  return {
    name: column.name,
    type: column.type,
    format: column.format ?? '',
    description: column.description,
    priority: column.priority,
  };
}

export function toRow(object: KubeObject, options: TableOptions): object {
  const cells = options.kind.columns.map((column) => column.cell(object, options.nowMs));
  switch (options.includeObject) {
    case 'None':
      return { cells, object: null };
    case 'Object':
      return { cells, object };
    case 'Metadata':
      return { cells, object: toPartialMetadata(object, options.metaVersion) };
  }
}

export function toPartialMetadata(object: KubeObject, metaVersion: MetaVersion): object {
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: `meta.k8s.io/${metaVersion}`,
    metadata: object.metadata,
  };
}

/** True when answers in this form are the stored bytes themselves. */
export function isPlain(form: AnswerForm): boolean {
  return form.format === 'json' && form.as === 'object';
}
