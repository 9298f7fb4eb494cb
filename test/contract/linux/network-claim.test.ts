import { expect, test } from "bun:test";
import { claimNetwork } from "../../../src/linux/network-claim.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { inNamespace } from "../../support/in-namespace.ts";

const FILE = `${import.meta.dir}/../../../src/linux/network-claim.ts`;
const HOLD = `const { claimNetwork } = await import(${JSON.stringify(FILE)});
console.log(claimNetwork("one") === undefined ? "taken" : "mine"); setInterval(() => {}, 1000);`;

inNamespace(import.meta.path, () => {
  test("one program of a network has what it claims, until it gives it back or ends", async () => {
    const first = claimNetwork("one");
    expect(first).toBeDefined();
    expect(claimNetwork("one")).toBeUndefined();
    claimNetwork("two")?.[Symbol.dispose]();
    first?.[Symbol.dispose]();

    const other = Bun.spawn([process.execPath, "-e", HOLD], { stdout: "pipe" });
    const { value } = await other.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toContain("mine");
    expect(claimNetwork("one")).toBeUndefined();
    other.kill("SIGKILL");
    const again = await waitFor("the claim", () => claimNetwork("one"));
    again[Symbol.dispose]();
  });

  test("another network is another matter", async () => {
    const here = claimNetwork("one");
    const elsewhere = Bun.spawn(["unshare", "--net", process.execPath, "-e", HOLD], { stdout: "pipe" });
    const { value } = await elsewhere.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toContain("mine");
    elsewhere.kill("SIGKILL");
    here?.[Symbol.dispose]();
  });
});
