// meta.k8s.io DeleteOptions as protobuf: the body that Kubernetes' own controllers delete with.

import type { JsonObject } from '../../../../common/model/kube-object.ts';
import { readEnvelope, readMessage, type NumberedSchema } from './protobuf-body.ts';
import { ProtobufError } from './protobuf-fields.ts';
import type { Schema } from '../schema/schema.ts';
import { badRequest } from '../answer/status-error.ts';

/** A pointer in Go, as all of these but dryRun are. */
function text(description: string): Schema {
  return { type: 'string', description, keepsEmpty: true };
}

const preconditions: NumberedSchema = {
  type: 'object',
  description: 'What must hold of the object, or it is not deleted.',
  fields: { uid: text('Its UID.'), resourceVersion: text('Its version.') },
  protobuf: { uid: 1, resourceVersion: 2 },
};

const dryRun: Schema = {
  type: 'list',
  description: 'All, to try without an effect.',
  items: text('One stage.'),
  topology: { kind: 'atomic' },
  patch: { kind: 'replace' },
};

export const deleteOptionsSchema: NumberedSchema = {
  type: 'object',
  goName: 'DeleteOptions',
  description: 'How an object is deleted.',
  fields: {
    gracePeriodSeconds: {
      type: 'integer',
      format: 'int64',
      description: 'Seconds to end in.',
      keepsEmpty: true,
    },
    preconditions,
    orphanDependents: {
      type: 'boolean',
      description: 'The older form of the policy Orphan.',
      keepsEmpty: true,
    },
    propagationPolicy: text('What becomes of the dependents.'),
    dryRun,
  },
  protobuf: {
    gracePeriodSeconds: 1,
    preconditions: 2,
    orphanDependents: 3,
    propagationPolicy: 4,
    dryRun: 5,
  },
};

/** The options as a JSON body would say them, kind and apiVersion included. Throws 400. */
export function readProtobufDeleteOptions(bytes: Uint8Array): JsonObject {
  try {
    const { typeMeta, raw } = readEnvelope(bytes);
    const isForeign = 'kind' in typeMeta && typeMeta['kind'] !== 'DeleteOptions';
    return { ...typeMeta, ...(isForeign ? {} : readMessage(deleteOptionsSchema, raw)) };
  } catch (error) {
    if (!(error instanceof ProtobufError)) throw error;
    throw badRequest(
      `the object provided is unrecognized (must be of type DeleteOptions): ${error.message}`,
    );
  }
}
