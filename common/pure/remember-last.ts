// The last result of a function that costs something and is asked for the same again and again, such
// as what a certificate says. Pure as the function is.

/** The same function, which computes anew only when it is asked for another text. Throws as it does. */
export function rememberLast<R>(compute: (text: string) => R): (text: string) => R {
  let last: { readonly text: string; readonly result: R } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, result: compute(text) };
    return last.result;
  };
}
