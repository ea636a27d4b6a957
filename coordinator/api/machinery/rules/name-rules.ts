// The grammars of names, labels and qualified keys. `list...Faults` says all that is wrong, in
// Kubernetes' own words; `check...` the first of it, or undefined.

const label1123 = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const label1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const qualifiedPart = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

/** Lengths are bytes, as Go counts them. */
function listFaults(
  text: string,
  max: number,
  form: { readonly pattern: RegExp; readonly fault: string },
): readonly string[] {
  const faults: string[] = [];
  if (Buffer.byteLength(text) > max) faults.push(`must be no more than ${max} characters`);
  if (!form.pattern.test(text)) faults.push(form.fault);
  return faults;
}

const labelForm =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and " +
  "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex " +
  "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

export function listLabelFaults(name: string): readonly string[] {
  const fault = subdomain.test(name) ? 'must not contain dots' : labelForm;
  return listFaults(name, 63, { pattern: label1123, fault });
}

export function checkLabel1123(name: string): string | undefined {
  return listLabelFaults(name)[0];
}

const label1035Form =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an " +
  "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or " +
  "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

export function listLabel1035Faults(name: string): readonly string[] {
  return listFaults(name, 63, { pattern: label1035, fault: label1035Form });
}

const subdomainForm =
  'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, ' +
  "'-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', " +
  "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

export function listSubdomainFaults(name: string): readonly string[] {
  return listFaults(name, 253, { pattern: subdomain, fault: subdomainForm });
}

export function checkSubdomain1123(name: string): string | undefined {
  return listSubdomainFaults(name)[0];
}

const partForm =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " +
  "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for " +
  "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const qualifiedForm =
  `a qualified name ${partForm} with an optional DNS subdomain prefix and '/' ` +
  "(e.g. 'example.com/MyName')";

// Nearly all: without these an object of 5,000 labels takes 4 ms to look at.
const plainName = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const noFaults: readonly string[] = [];

/** A label key: an optional DNS prefix, a slash, a name. */
export function listQualifiedNameFaults(key: string): readonly string[] {
  if (plainName.test(key)) return noFaults;
  const parts = key.split('/');
  if (parts.length > 2) return [qualifiedForm];
  const faults: string[] = [];
  const prefix = parts.length === 2 ? (parts[0] ?? '') : undefined;
  if (prefix === '') faults.push('prefix part must be non-empty');
  else if (prefix !== undefined) {
    faults.push(...listSubdomainFaults(prefix).map((fault) => `prefix part ${fault}`));
  }
  const name = parts.at(-1) ?? '';
  if (name === '') faults.push('name part must be non-empty');
  const named = listFaults(name, 63, { pattern: qualifiedPart, fault: partForm });
  return [...faults, ...named.map((fault) => `name part ${fault}`)];
}

export function checkQualifiedName(key: string): string | undefined {
  return listQualifiedNameFaults(key)[0];
}

const valueForm =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or " +
  "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or " +
  "'my_value',  or '12345', regex used for validation is " +
  "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

export function listLabelValueFaults(value: string): readonly string[] {
  if (value === '' || plainName.test(value)) return noFaults;
  return listFaults(value, 63, { pattern: labelValue, fault: valueForm });
}

export function checkLabelValue(value: string): string | undefined {
  return listLabelValueFaults(value)[0];
}

const forbiddenNames: readonly string[] = ['.', '..'];

/** A name that is free but for what would change a path's meaning; `isPrefix` of a longer one. */
export function listPathSegmentFaults(name: string, isPrefix: boolean): readonly string[] {
  if (!isPrefix && forbiddenNames.includes(name)) return [`may not be '${name}'`];
  return ['/', '%'].flatMap((text) => (name.includes(text) ? [`may not contain '${text}'`] : []));
}
