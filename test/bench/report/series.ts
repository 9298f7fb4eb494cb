import type { Unit } from "./figure.ts";

/** The program that all others are compared with. */
export const OURS = "selvedge";

export type Statistic = "median" | "p99";

/** What design section "Measures" asks for. A goal without a size is for what is measured without sizes. */
export type Goal =
  /** Ours is at most, or, where more is better, at least `value` (in the quantity's unit). */
  | { readonly kind: "limit"; readonly value: number; readonly statistic: Statistic; readonly size?: number }
  /** Ours is `factor` times better than another program; 0.9 allows it to be a tenth worse. */
  | {
      readonly kind: "gain";
      readonly over: string;
      readonly factor: number;
      readonly statistic: Statistic;
      readonly size?: number;
    }
  /** Ours at the size `to` is at most `factor` times what it is at the size `from`. */
  | {
      readonly kind: "flat";
      readonly from: number;
      readonly to: number;
      readonly factor: number;
      readonly statistic: Statistic;
    };

/** Something that is measured, for every program in the same way. Compared by its name. */
export interface Quantity {
  readonly name: string;
  readonly unit: Unit;
  readonly better: "less" | "more";
  readonly goals?: readonly Goal[];
}

/** What one program showed at one size, in the quantity's unit. */
export interface Series {
  readonly quantity: Quantity;
  readonly program: string;
  /** Such as the number of services. */
  readonly size?: number;
  /** One for each round, or for each event: a p99 is told from 100 values on. */
  readonly values: readonly number[];
  /** Measuring was given up: the true values are greater. */
  readonly unfinished?: boolean;
}
