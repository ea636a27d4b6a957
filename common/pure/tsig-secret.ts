// The secret of a TSIG key as it stands in a Secret: base64, as key generators of servers print it.
// Input: the text. Output: its bytes, or undefined where it is none. Pure.

/** RFC 8945 lets a key be as short as its server likes; below this nobody should. */
export const tsigSecretBytesMin = 16;

/** Key of the Secret's data. */
export const tsigSecretKey = 'tsig-secret';

export function parseTsigSecret(text: string): Uint8Array | undefined {
  const plain = text.trim();
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(plain)) return undefined;
  const secret = Buffer.from(plain, 'base64');
  return secret.length < tsigSecretBytesMin ? undefined : secret;
}
