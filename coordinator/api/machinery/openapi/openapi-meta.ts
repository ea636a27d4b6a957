// The components that every OpenAPI document has: lists' metadata, statuses, options, patches.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import { toGvk, toMetaName, toRef } from './openapi-schemas.ts';

/** By component name. */
export function toMetaComponents(): Readonly<Record<string, JsonObject>> {
  return {
    'io.k8s.apimachinery.pkg.util.intstr.IntOrString': {
      description: 'A number or a name.',
      format: 'int-or-string',
      oneOf: [{ type: 'integer' }, { type: 'string' }],
    },
    [toMetaName('Patch')]: object('A change to an object.', {}),
    [toMetaName('ListMeta')]: object('What a list as a whole carries.', {
      continue: string('Token for the next page.'),
      remainingItemCount: integer('How many objects follow.'),
      resourceVersion: string('The version that the list shows; watch from here.'),
      selfLink: string('Unused.'),
    }),
    [toMetaName('StatusCause')]: object('One of several reasons.', {
      field: string('The field that is at fault.'),
      message: string('The reason, as a sentence.'),
      reason: string('The reason, as one word.'),
    }),
    [toMetaName('StatusDetails')]: statusDetails(),
    [toMetaName('Status')]: status(),
    [toMetaName('Preconditions')]: object('What must hold before a delete.', {
      resourceVersion: string('The version that the object must have.'),
      uid: string('The UID that the object must have.'),
    }),
    [toMetaName('DeleteOptions')]: deleteOptions(),
  };
}

function statusDetails(): JsonObject {
  return object('What a status is about.', {
    causes: {
      type: 'array',
      description: 'All the reasons.',
      items: toRef(toMetaName('StatusCause')),
    },
    group: string('Group of the resource.'),
    kind: string('The resource or kind.'),
    name: string('Name of the object.'),
    retryAfterSeconds: integer('Seconds after which to try again.'),
    uid: string('UID of the object.'),
  });
}

function status(): JsonObject {
  return {
    ...object('The outcome of a request.', {
      apiVersion: string('Always v1.'),
      kind: string('Always Status.'),
      code: integer('The HTTP status.'),
      details: { allOf: [toRef(toMetaName('StatusDetails'))], description: 'What it is about.' },
      message: string('The outcome, as a sentence.'),
      metadata: { allOf: [toRef(toMetaName('ListMeta'))], description: 'As of a list.' },
      reason: string('The outcome, as one word.'),
      status: string('Success or Failure.'),
    }),
    'x-kubernetes-group-version-kind': [toGvk({ group: '', version: 'v1', kind: 'Status' })],
  };
}

function deleteOptions(): JsonObject {
  return {
    ...object('How to delete.', {
      apiVersion: string('Group and version of the schema of the options.'),
      kind: string('Always DeleteOptions.'),
      dryRun: { type: 'array', description: 'All for a rehearsal.', items: { type: 'string' } },
      gracePeriodSeconds: integer('Seconds that it may take.'),
      orphanDependents: { type: 'boolean', description: 'The older form of propagationPolicy.' },
      preconditions: {
        allOf: [toRef(toMetaName('Preconditions'))],
        description: 'What must hold.',
      },
      propagationPolicy: string('Foreground, Background or Orphan.'),
    }),
    'x-kubernetes-group-version-kind': [toGvk({ group: '', version: 'v1', kind: 'DeleteOptions' })],
  };
}

function string(description: string): JsonObject {
  return { type: 'string', description };
}

function integer(description: string): JsonObject {
  return { type: 'integer', format: 'int64', description };
}

function object(description: string, properties: JsonObject): JsonObject {
  return { type: 'object', description, properties };
}
