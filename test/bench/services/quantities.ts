import type { Quantity } from "../report/series.ts";

/** What is to be reached stands for this many services. */
export const MANY = 10_000;
export const KUBE_PROXY = "kube-proxy";

export const LOAD: Quantity = {
  name: "load from the API server: from exec until the kernel has all",
  unit: "s",
  better: "less",
};

export const LOAD_WORK: Quantity = {
  name: "load: plan and kernel alone",
  unit: "s",
  better: "less",
  goals: [
    { kind: "limit", value: 0.15, statistic: "median", size: MANY },
    { kind: "gain", over: KUBE_PROXY, factor: 100, statistic: "median", size: MANY },
  ],
};

export const CHANGE: Quantity = {
  name: "one endpoint changes: from the event's first packet until it is in the kernel",
  unit: "s",
  better: "less",
  goals: [
    { kind: "limit", value: 0.001, statistic: "p99", size: MANY },
    { kind: "gain", over: KUBE_PROXY, factor: 100, statistic: "median", size: MANY },
  ],
};

export const CHANGE_FROM_WRITE: Quantity = {
  name: "one endpoint changes: from the API server's answer to the write until it is in the kernel",
  unit: "s",
  better: "less",
};

export const CHANGE_WORK: Quantity = {
  name: "one endpoint changes: index, plan and kernel alone",
  unit: "s",
  better: "less",
  goals: [{ kind: "limit", value: 0.001, statistic: "p99", size: MANY }],
};

export const RESYNC: Quantity = {
  name: "full resync, nothing has changed",
  unit: "s",
  better: "less",
};

export const RESYNC_WRITES: Quantity = {
  name: "full resync, nothing has changed: transactions",
  unit: "1",
  better: "less",
};

export const KERNEL_MEMORY: Quantity = { name: "kernel memory", unit: "B", better: "less" };

export const FIRST_PACKET: Quantity = {
  name: "a new TCP connection, SYN to SYN-ACK",
  unit: "s",
  better: "less",
  goals: [{ kind: "flat", from: 10, to: MANY, factor: 1.05, statistic: "median" }],
};

export const SHORT_CONNECTIONS: Quantity = {
  name: "HTTP requests a second, each on a connection of its own",
  unit: "1/s",
  better: "more",
  goals: [{ kind: "gain", over: "direct", factor: 0.9, statistic: "median", size: 1000 }],
};

export const STALL: Quantity = {
  name: "longest wait of a new connection to another service during the load",
  unit: "s",
  better: "less",
};
