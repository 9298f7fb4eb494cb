import type { Quantity } from "../report/series.ts";

/** What is to be reached stands for these numbers of nodes. */
const [MANY, MOST] = [5000, 10_000];

export const PLAN: Quantity = {
  name: "full plan, every document made, in the process alone",
  unit: "s",
  better: "less",
  goals: [{ kind: "limit", value: 2, statistic: "median", size: MOST }],
};

export const PLAN_CHANGE: Quantity = {
  name: "one node changes: planning alone",
  unit: "s",
  better: "less",
  goals: [{ kind: "limit", value: 0.01, statistic: "p99", size: MOST }],
};

export const CHANGE_EACH: Quantity = {
  name: "one node changes: from the API server's answer until each object that depends on it is written",
  unit: "s",
  better: "less",
  goals: [{ kind: "limit", value: 0.3, statistic: "p99", size: MANY }],
};

export const CHANGE_OWN: Quantity = {
  name: "one node changes: until its own ConfigMap is written",
  unit: "s",
  better: "less",
};

export const CHANGE_OBJECTS: Quantity = {
  name: "one node changes: objects written, less those that depend on it",
  unit: "1",
  better: "less",
  goals: [{ kind: "limit", value: 0, statistic: "median", size: MOST }],
};

export const FILL: Quantity = {
  name: "first fill: from exec until every ConfigMap and every Secret is written",
  unit: "s",
  better: "less",
};

export const FILL_RATE: Quantity = { name: "first fill: objects written a second", unit: "1/s", better: "more" };

export const FILL_CPU: Quantity = { name: "first fill: CPU time of the operator", unit: "s", better: "less" };

export const RESTART: Quantity = {
  name: "restart, nothing has changed: from exec until every object is compared",
  unit: "s",
  better: "less",
};

export const RESTART_WRITES: Quantity = {
  name: "restart, nothing has changed: writes, as the API server and the operator count them",
  unit: "1",
  better: "less",
  goals: [{ kind: "limit", value: 0, statistic: "median", size: MOST }],
};

const MEMORY_LIMIT = { kind: "limit", value: 250e6, statistic: "median", size: MOST } as const;

export const MEMORY_PEAK: Quantity = {
  name: "memory, resident: most at any time, first fill included",
  unit: "B",
  better: "less",
  goals: [MEMORY_LIMIT],
};

export const MEMORY_PEAK_RESTARTED: Quantity = {
  name: "memory, resident: most at any time after a restart",
  unit: "B",
  better: "less",
  goals: [MEMORY_LIMIT],
};

export const MEMORY_RESIDENT: Quantity = { name: "memory at rest, resident", unit: "B", better: "less" };
export const MEMORY_ANONYMOUS: Quantity = { name: "memory at rest, anonymous", unit: "B", better: "less" };
export const MEMORY_PROPORTIONAL: Quantity = { name: "memory at rest, PSS", unit: "B", better: "less" };

export const IDLE_CPU: Quantity = { name: "idle CPU, of one core", unit: "%", better: "less" };
