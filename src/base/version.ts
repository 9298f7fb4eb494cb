declare const SELVEDGE_VERSION: string | undefined;

/** Stamped by scripts/build; a program run from its sources has none. */
export const VERSION: string = typeof SELVEDGE_VERSION === "string" ? SELVEDGE_VERSION : "0.0.0-source";
