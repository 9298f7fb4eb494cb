export interface Effect {
  readonly name: string;
  /** Tried on code without comments and strings. */
  readonly pattern: RegExp;
  readonly why: string;
}

/** What makes the outcome of code depend on more than its arguments. */
export const EFFECTS: readonly Effect[] = [
  {
    name: "Bun",
    // Functions of their arguments alone.
    pattern: /(?<![.\w])Bun\.(?!YAML\b|stringWidth\b|stripANSI\b|wrapAnsi\b)/g,
    why: "files, processes and sockets belong to adapters",
  },
  {
    name: "timer",
    pattern: /(?<![.\w])(?:set|clear)(?:Timeout|Interval|Immediate)\s*\(/g,
    why: "time is an argument: Clock.after",
  },
  { name: "wall clock", pattern: /\bDate\.now\b|\bnew Date\(\s*\)/g, why: "time is an argument: Clock.wall" },
  { name: "monotonic clock", pattern: /\bperformance\.now\b/g, why: "time is an argument: Clock.now" },
  {
    name: "randomness",
    pattern: /\bMath\.random\b|\bcrypto\.(?:getRandomValues|randomUUID|randomBytes)\b/g,
    why: "randomness is an argument, so that a plan is exact and a test repeats",
  },
  { name: "process", pattern: /(?<![.\w])process\./g, why: "environment and process are read once, in main" },
  {
    name: "console",
    pattern: /(?<![.\w])console\./g,
    why: "what people read goes through Log or the command's output",
  },
  { name: "fetch", pattern: /(?<![.\w])fetch\(/g, why: "the network belongs to adapters" },
  { name: "socket", pattern: /\bnew (?:WebSocket|Worker|EventSource)\b/g, why: "the network belongs to adapters" },
];

/** A module whose import is itself an effect, `import type` included: even its types tie a file to the runtime. */
export const RUNTIME_MODULE = /^(?:bun|bun:.*|node:.*)$/;

export interface EffectPlace {
  readonly at: string;
  readonly why: string;
}

/** Where effects may stand, besides the files of adapters.ts, scripts and test. */
export const EFFECT_PLACES: readonly EffectPlace[] = [
  { at: "src/linux/", why: "the kernel" },
  { at: "src/certificate/", why: "the runtime's cryptography" },
  { at: "src/kube/", why: "the Kubernetes API over HTTP" },
  { at: "src/strongswan/", why: "charon's socket" },
  { at: "edge/main.ts", why: "hands the process and the clock to the plugin" },
  { at: "edge/program.ts", why: "hands the process, the clock and randomness to the rest" },
  { at: "edge/dns-program.ts", why: "hands the process, the clock and randomness to the thread of names" },
  { at: "cloud/main.ts", why: "hands the process, the clock and randomness to the rest" },
];
