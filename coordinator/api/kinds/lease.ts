// coordination.k8s.io/v1 Lease, for clients that elect a leader.

import type { JsonObject } from '../../../common/model/kube-object.ts';
import { forbiddenField, invalidValue, notSupported } from '../machinery/rules/field-errors.ts';
import { own, ownRecord, ownText, toJsonObject } from '../machinery/schema/json-value.ts';
import type { FieldError, KindDefinition } from '../machinery/kind.ts';
import { objectSchema } from './common-schema.ts';
import { ageColumn, column, nameColumn } from './columns.ts';
import { loggedKind } from './definition.ts';
import { int32, kept, microTime, struct, text } from './schema-parts.ts';

const description = 'Says who leads, and until when.';

export const leaseKind: KindDefinition = loggedKind({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  allowsCreateOnUpdate: true,
  description,
  schema: objectSchema(
    'Lease',
    description,
    {
      spec: struct(
        'LeaseSpec',
        'Who holds the lease.',
        {
          holderIdentity: kept(text('Identity of the holder.')),
          leaseDurationSeconds: kept(int32('Seconds after renewTime until others may take it.')),
          acquireTime: microTime('When the holder took the lease.'),
          renewTime: microTime('When the holder last renewed it.'),
          leaseTransitions: kept(int32('How often the holder changed.')),
          strategy: kept(text('How the leader is chosen.')),
          preferredHolder: kept(text('Who should have the lease next.')),
        },
        {
          protobuf: {
            holderIdentity: 1,
            leaseDurationSeconds: 2,
            acquireTime: 3,
            renewTime: 4,
            leaseTransitions: 5,
            strategy: 6,
            preferredHolder: 7,
          },
        },
      ),
    },
    { protobuf: { metadata: 1, spec: 2 } },
  ),
  columns: [
    nameColumn,
    column('Holder', 'Identity of the holder.', (lease) =>
      ownText(ownRecord(lease, 'spec'), 'holderIdentity'),
    ),
    ageColumn,
  ],
  validate: (lease) => validateSpec(ownRecord(toJsonObject(lease), 'spec')),
});

const strategies = ['OldestEmulationVersion'];

function validateSpec(spec: JsonObject): readonly FieldError[] {
  const errors: FieldError[] = [];
  const seconds = own(spec, 'leaseDurationSeconds');
  if (typeof seconds === 'number' && seconds <= 0) {
    errors.push(invalidValue('spec.leaseDurationSeconds', seconds, 'must be greater than 0'));
  }
  const transitions = own(spec, 'leaseTransitions');
  if (typeof transitions === 'number' && transitions < 0) {
    const detail = 'must be greater than or equal to 0';
    errors.push(invalidValue('spec.leaseTransitions', transitions, detail));
  }
  const strategy = ownText(spec, 'strategy');
  // Others may have strategies of their own, under a name of their own.
  if (strategy !== '' && !strategy.includes('/') && !strategies.includes(strategy)) {
    errors.push(notSupported('spec.strategy', strategy, strategies));
  }
  if (ownText(spec, 'preferredHolder') !== '' && strategy === '') {
    const detail = 'may only be specified if `strategy` is defined';
    errors.push(forbiddenField('spec.preferredHolder', detail));
  }
  return errors;
}
