// Rules of a Service's ports: present, in range, named when several, no two the same.

import type { Json, JsonObject } from '../../../common/model/kube-object.ts';
import {
  duplicate,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../machinery/rules/field-errors.ts';
import { isRecord, own, ownList, ownText } from '../machinery/schema/json-value.ts';
import type { FieldError } from '../machinery/kind.ts';
import { checkLabel1123, checkQualifiedName } from '../machinery/rules/name-rules.ts';

const outOfRange = 'must be between 1 and 65535, inclusive';

export function validatePorts(spec: JsonObject, isHeadless: boolean): readonly FieldError[] {
  const ports = ownList(spec, 'ports').filter(isRecord);
  const type = ownText(spec, 'type');
  if (ports.length === 0) {
    return isHeadless || type === 'ExternalName' ? [] : [required('spec.ports')];
  }
  const names = new Set<string>();
  const each = ports.flatMap((port, index) =>
    validatePort(port, { field: `spec.ports[${index}]`, isOnly: ports.length === 1, type, names }),
  );
  return [...each, ...findDuplicateNodePorts(ports), ...findDuplicatePorts(ports)];
}

interface PortContext {
  readonly field: string;
  readonly isOnly: boolean;
  readonly type: string;
  readonly names: Set<string>;
}

function validatePort(port: JsonObject, context: PortContext): readonly FieldError[] {
  const { field, type } = context;
  const errors = [...validateName(port, context)];
  const number = own(port, 'port') ?? 0;
  if (!isPort(number)) errors.push(invalidValue(`${field}.port`, number, outOfRange));
  const protocol = ownText(port, 'protocol');
  if (!['SCTP', 'TCP', 'UDP'].includes(protocol)) {
    errors.push(notSupported(`${field}.protocol`, protocol, ['SCTP', 'TCP', 'UDP']));
  }
  errors.push(...validateTarget(own(port, 'targetPort'), `${field}.targetPort`));
  const appProtocol = own(port, 'appProtocol');
  const wrong = typeof appProtocol === 'string' ? checkQualifiedName(appProtocol) : undefined;
  if (wrong !== undefined) errors.push(invalidValue(`${field}.appProtocol`, appProtocol, wrong));
  const nodePort = own(port, 'nodePort');
  if (nodePort !== undefined && type === 'ClusterIP') {
    const detail = "may not be used when `type` is 'ClusterIP'";
    errors.push(forbiddenField(`${field}.nodePort`, detail));
  } else if (nodePort !== undefined && !isPort(nodePort)) {
    errors.push(invalidValue(`${field}.nodePort`, nodePort, outOfRange));
  }
  return errors;
}

function validateName(port: JsonObject, context: PortContext): readonly FieldError[] {
  const name = ownText(port, 'name');
  const field = `${context.field}.name`;
  if (name === '') return context.isOnly ? [] : [required(field)];
  const wrong = checkLabel1123(name);
  if (wrong !== undefined) return [invalidValue(field, name, wrong)];
  if (context.names.has(name)) return [duplicate(field, name)];
  context.names.add(name);
  return [];
}

function validateTarget(target: Json | undefined, field: string): readonly FieldError[] {
  if (typeof target !== 'string') {
    return isPort(target ?? 0) ? [] : [invalidValue(field, target ?? 0, outOfRange)];
  }
  return checkPortName(target).map((detail) => invalidValue(field, target, detail));
}

/** IANA_SVC_NAME (RFC 6335 5.1). */
function checkPortName(name: string): readonly string[] {
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
    const nodePort = own(port, 'nodePort');
    if (nodePort === undefined) return [];
    const key = `${ownText(port, 'protocol')}/${String(nodePort)}`;
    if (seen.has(key)) return [duplicate(`spec.ports[${index}].nodePort`, nodePort)];
    seen.add(key);
    return [];
  });
}

function findDuplicatePorts(ports: readonly JsonObject[]): readonly FieldError[] {
  const seen = new Set<string>();
  return ports.flatMap((port, index) => {
    const number = own(port, 'port') ?? 0;
    const protocol = ownText(port, 'protocol');
    const key = `${protocol}/${String(number)}`;
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
