/** Where values stand on an axis. */
export interface Scale {
  readonly at: (value: number) => number;
  /** Round values to label, ascending. */
  readonly ticks: readonly number[];
}

/** In pixels. A vertical axis starts at the greater one. */
export interface Extent {
  readonly start: number;
  readonly end: number;
}

/** Beyond this ratio between its greatest and its least value a linear axis shows the small ones as nothing. */
const LOGARITHMIC_FROM = 10;
const TICKS_ABOUT = 4;
const DECADES_WITH_STEPS = 2;

/** From zero to the greatest value, or logarithmic where the values lie far apart and none is zero or below. */
export function valueScale(values: readonly number[], extent: Extent): Scale {
  const [least, greatest] = [Math.min(...values), Math.max(...values)];
  if (least > 0 && greatest / least > LOGARITHMIC_FROM) return logarithmicScale(least, greatest, extent);
  return linearScale(Math.min(0, least), greatest, extent);
}

/** Starts and ends at a multiple of its step. */
export function linearScale(least: number, greatest: number, extent: Extent): Scale {
  const step = roundStep((greatest - least || 1) / TICKS_ABOUT);
  const [first, last] = [Math.floor(least / step), Math.max(Math.ceil(greatest / step), Math.floor(least / step) + 1)];
  const ticks = Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  return { at: (value) => interpolate(value, first * step, last * step, extent), ticks };
}

/** Starts and ends at 1, 2 or 5 times a power of ten; labels these, or, where they are many, the powers alone. */
export function logarithmicScale(least: number, greatest: number, extent: Extent): Scale {
  const steps = logarithmicSteps(least, greatest);
  const [first = least, last = greatest] = [steps.at(0), steps.at(-1)];
  const powers = steps.filter((value) => /^1(?:e.*)?$/.test(value.toExponential().replace(/e.*/, "")));
  return {
    at: (value) => interpolate(Math.log10(value), Math.log10(first), Math.log10(last), extent),
    ticks: Math.log10(last / first) > DECADES_WITH_STEPS ? powers : steps,
  };
}

/** The sizes that were measured, and no other: each has a label. */
export function sizeScale(sizes: readonly number[], extent: Extent): Scale {
  const [least, greatest] = [Math.min(...sizes), Math.max(...sizes)];
  return {
    at: (value) => interpolate(Math.log10(value), Math.log10(least), Math.log10(greatest), extent),
    ticks: [...new Set(sizes)].toSorted((a, b) => a - b),
  };
}

function logarithmicSteps(least: number, greatest: number): readonly number[] {
  const steps: number[] = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(greatest)); power++) {
    for (const digit of [1, 2, 5]) steps.push(Number(`${digit}e${power}`));
  }
  const first = steps.findLastIndex((step) => step <= least);
  const last = steps.findIndex((step) => step >= greatest);
  return steps.slice(Math.max(0, first), last + 1);
}

/** 1, 2 or 5 times a power of ten, at least as great. */
function roundStep(about: number): number {
  const power = 10 ** Math.floor(Math.log10(about));
  return ([1, 2, 5].find((digit) => digit * power >= about) ?? 10) * power;
}

function interpolate(value: number, least: number, greatest: number, { start, end }: Extent): number {
  return start + (end - start) * (greatest === least ? 0.5 : (value - least) / (greatest - least));
}
