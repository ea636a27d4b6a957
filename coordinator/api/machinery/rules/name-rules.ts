// The grammars of names, labels and qualified keys. Each returns what is wrong, in Kubernetes' own
// words, or undefined.

const label1123 = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const label1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const qualifiedPart = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

function tooLong(max: number): string {
  return `must be no more than ${max} characters`;
}

export function checkLabel1123(name: string): string | undefined {
  if (name.length > 63) return tooLong(63);
  if (label1123.test(name)) return undefined;
  return (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and " +
    "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex " +
    "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
  );
}

export function checkLabel1035(name: string): string | undefined {
  if (name.length > 63) return tooLong(63);
  if (label1035.test(name)) return undefined;
  return (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an " +
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or " +
    "'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
  );
}

export function checkSubdomain1123(name: string): string | undefined {
  if (name.length > 253) return tooLong(253);
  if (subdomain.test(name)) return undefined;
  return (
    'a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, ' +
    "'-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', " +
    "regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
  );
}

/** A label key: an optional DNS prefix, a slash, a name. */
export function checkQualifiedName(key: string): string | undefined {
  const parts = key.split('/');
  const name = parts.length === 1 ? key : (parts[1] ?? '');
  if (parts.length > 2) return qualifiedForm;
  if (parts.length === 2) {
    const prefix = parts[0] ?? '';
    if (prefix === '') return 'prefix part must be non-empty';
    const wrong = checkSubdomain1123(prefix);
    if (wrong !== undefined) return `prefix part ${wrong}`;
  }
  if (name === '') return 'name part must be non-empty';
  if (name.length > 63) return `name part ${tooLong(63)}`;
  return qualifiedPart.test(name) ? undefined : `name part ${partForm}`;
}

const partForm =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " +
  "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for " +
  "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const qualifiedForm =
  `a qualified name ${partForm} with an optional DNS subdomain prefix and '/' ` +
  "(e.g. 'example.com/MyName')";

export function checkLabelValue(value: string): string | undefined {
  if (value.length > 63) return tooLong(63);
  if (labelValue.test(value)) return undefined;
  return (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or " +
    "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or " +
    "'my_value',  or '12345', regex used for validation is " +
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
  );
}
