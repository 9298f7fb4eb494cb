/** The known name that somebody may have meant, or undefined when none is near. Case, dashes and underscores are free. */
export function nearestName(wrong: string, known: Iterable<string>): string | undefined {
  const wanted = plain(wrong);
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    const most = Math.min(Math.max(1, Math.floor(name.length / 3)), (best?.distance ?? Number.POSITIVE_INFINITY) - 1);
    const distance = editDistance(wanted, plain(name), most);
    if (distance <= most) best = { name, distance };
  }
  return best?.name;
}

function plain(name: string): string {
  return name.slice(0, 64).toLowerCase().replace(/[-_]/g, "");
}

/** Levenshtein's, or some number above `most`: nearly all names are far from each other, and soon seen to be. */
function editDistance(a: string, b: string, most: number): number {
  if (Math.abs(a.length - b.length) > most) return most + 1;
  const row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    let corner = i - 1;
    let left = i;
    let least = i;
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const above = row[j] ?? 0;
      left = Math.min(corner + (a[i - 1] === b[j - 1] ? 0 : 1), above + 1, left + 1);
      row[j] = left;
      corner = above;
      least = Math.min(least, left);
    }
    if (least > most) return least;
  }
  return row[b.length] ?? 0;
}
