/** Shortest name whose typing errors are recognised; shorter ones are all alike. */
const LEAST_LENGTH = 4;

/** Find the known name that was meant: in other letters or with other separators, or with one typing error. Pure. */
export function nearName(name: string, known: readonly string[]): string | undefined {
  const given = plain(name);
  return (
    known.find((one) => plain(one) === given) ??
    known.find((one) => given.length >= LEAST_LENGTH && isOneErrorFrom(plain(one), given))
  );
}

function plain(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

/** Whether one letter is missing, added or another, or two neighbours are swapped. */
function isOneErrorFrom(a: string, b: string): boolean {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const [restA, restB] = [a.slice(at), b.slice(at)];
  const swapped = `${restA[1] ?? ''}${restA[0] ?? ''}${restA.slice(2)}`;
  return restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1) || swapped === restB;
}
