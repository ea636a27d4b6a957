// Rules of a Service's ports: present, in range, named when several, no two the same.

import type { Json, JsonObject } from '../../../../common/model/kube-object.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../machinery/rules/field-errors.ts';
import { own, ownText } from '../../machinery/schema/json-value.ts';
import type { FieldError } from '../../machinery/kind.ts';
import { listLabelFaults, listQualifiedNameFaults } from '../../machinery/rules/name-rules.ts';
import { numberOf, portsOf, typeOf } from './service-spec.ts';

const outOfRange = 'must be between 1 and 65535, inclusive';

/** Each port by itself; names among each other. */
export function validatePorts(spec: JsonObject): readonly FieldError[] {
  const ports = portsOf(spec);
  const names = new Set<string>();
  return ports.flatMap((port, index) =>
    validatePort(port, { field: `spec.ports[${index}]`, isOnly: ports.length === 1, names }),
  );
}

/** The ports against the type and against each other. */
export function validatePortSets(spec: JsonObject): readonly FieldError[] {
  const ports = portsOf(spec);
  return [...refuseNodePorts(spec), ...findDuplicateNodePorts(ports), ...findDuplicatePorts(ports)];
}

interface PortContext {
  readonly field: string;
  readonly isOnly: boolean;
  readonly names: Set<string>;
}

function validatePort(port: JsonObject, context: PortContext): readonly FieldError[] {
  const { field } = context;
  const errors = [...validateName(port, context)];
  const number = numberOf(port, 'port');
  if (!isPort(number)) errors.push(invalidValue(`${field}.port`, number, outOfRange));
  const protocol = ownText(port, 'protocol');
  if (!['SCTP', 'TCP', 'UDP'].includes(protocol)) {
    errors.push(notSupported(`${field}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']));
  }
  errors.push(...validateTarget(own(port, 'targetPort'), `${field}.targetPort`));
  const appProtocol = own(port, 'appProtocol');
  if (appProtocol === undefined) return errors;
  const faults = listQualifiedNameFaults(String(appProtocol));
  return [
    ...errors,
    ...faults.map((fault) => invalidValue(`${field}.appProtocol`, appProtocol, fault)),
  ];
}

function validateName(port: JsonObject, context: PortContext): readonly FieldError[] {
  const name = ownText(port, 'name');
  const field = `${context.field}.name`;
  if (name === '') return context.isOnly ? [] : [required(field)];
  const errors = listLabelFaults(name).map((fault) => invalidValue(field, name, fault));
  if (context.names.has(name)) errors.push(duplicate(field, name));
  context.names.add(name);
  return errors;
}

function validateTarget(target: Json | undefined, field: string): readonly FieldError[] {
  if (typeof target !== 'string') {
    return isPort(target ?? 0) ? [] : [invalidValue(field, target ?? 0, outOfRange)];
  }
  return listPortNameFaults(target).map((detail) => invalidValue(field, target, detail));
}

function refuseNodePorts(spec: JsonObject): readonly FieldError[] {
  if (typeOf(spec) !== 'ClusterIP') return [];
  const detail = "may not be used when `type` is 'ClusterIP'";
  return portsOf(spec).flatMap((port, index) =>
    numberOf(port, 'nodePort') === 0
      ? []
      : [forbiddenField(`spec.ports[${index}].nodePort`, detail)],
  );
}

/** IANA_SVC_NAME (RFC 6335 5.1). */
function listPortNameFaults(name: string): readonly string[] {
  const errors: string[] = [];
  if (name.length > 15) errors.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(name)) {
    errors.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(name)) errors.push('must contain at least one letter (a-z)');
  if (name.includes('--')) errors.push('must not contain consecutive hyphens');
  if (name.startsWith('-') || name.endsWith('-')) {
    errors.push('must not begin or end with a hyphen');
  }
  return errors;
}

function isPort(value: Json): boolean {
  return typeof value === 'number' && value >= 1 && value <= 65535;
}

function findDuplicateNodePorts(ports: readonly JsonObject[]): readonly FieldError[] {
  const seen = new Set<string>();
  return ports.flatMap((port, index) => {
    const nodePort = numberOf(port, 'nodePort');
    if (nodePort === 0) return [];
    const key = `${ownText(port, 'protocol')}/${nodePort}`;
    if (seen.has(key)) return [duplicate(`spec.ports[${index}].nodePort`, nodePort)];
    seen.add(key);
    return [];
  });
}

function findDuplicatePorts(ports: readonly JsonObject[]): readonly FieldError[] {
  const seen = new Set<string>();
  return ports.flatMap((port, index) => {
    const number = numberOf(port, 'port');
    const protocol = ownText(port, 'protocol');
    const key = `${protocol}/${number}`;
    // Kubernetes prints the Go struct, with only these two members filled.
    const printed = {
      Name: '',
      Protocol: protocol,
      AppProtocol: null,
      Port: number,
      TargetPort: 0,
      NodePort: 0,
    };
    if (seen.has(key)) return [duplicate(`spec.ports[${index}]`, printed)];
    seen.add(key);
    return [];
  });
}
