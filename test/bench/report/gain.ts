/** How many times better ours is: 0.9 is a tenth worse. */
export function gainOf(better: "less" | "more", ours: number, other: number): number {
  return better === "less" ? other / ours : ours / other;
}
