import { describe, expect, test } from "bun:test";
import { parseNodeAgentCommand } from "../../../../cloud/wiring/node-agent-options.ts";

describe("selvedge-cloud node-agent", () => {
  test("takes the node's name from the environment, unless an argument says it", () => {
    expect(parseNodeAgentCommand([], { NODE_NAME: "n1" })).toMatchObject({
      value: {
        kind: "run",
        options: { node: "n1", namespace: "fabedge", listen: { hostname: "127.0.0.1", port: 8083 }, logLevel: "info" },
      },
    });
    expect(parseNodeAgentCommand(["--node-name=n2"], { NODE_NAME: "n1" })).toMatchObject({
      value: { options: { node: "n2" } },
    });
  });

  test.each([
    [[], "usage", "needs --node-name"],
    [["--node-name=n1", "--sync-period=1s"], "usage", "--sync-period"],
    [["--node-name=n1", "--http-bind=8083"], "config", "--http-bind"],
    [["--node-name=N_1"], "config", "--node-name"],
    [["cleanup", "--force"], "usage", "--force"],
  ])("%j is refused", (words, kind, named) => {
    const command = parseNodeAgentCommand(words, {});
    expect(command).toMatchObject({ ok: false, error: { kind, message: expect.stringContaining(named) } });
  });

  test("cleans up, or only looks", () => {
    expect(parseNodeAgentCommand(["cleanup"], {})).toEqual({ ok: true, value: { kind: "cleanup", dryRun: false } });
    expect(parseNodeAgentCommand(["cleanup", "--dry-run"], {})).toMatchObject({ value: { dryRun: true } });
  });
});
