export const ALL = "SELVEDGE_TEST_ALL";

/** How often a test repeats itself: `scripts/test --all` sets SELVEDGE_TEST_ALL=1 and takes the time for all of it. */
export function effort(usual: number, all: number): number {
  return process.env[ALL] === "1" ? all : usual;
}
