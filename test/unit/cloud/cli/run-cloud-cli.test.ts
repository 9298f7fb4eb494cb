import { describe, expect, test } from "bun:test";
import { PROGRAM } from "../../../../cloud/cli/commands.ts";
import { EXECUTORS, isCliCommand, runCloudCli } from "../../../../cloud/cli/run-cloud-cli.ts";
import { KubeClient } from "../../../../src/kube/client.ts";
import { SteppedClock } from "../../../support/stepped-clock.ts";

/** @param answer what the server says to a GET of a path */
async function run(line: string, answer: (path: string) => object | undefined = () => undefined) {
  const said = { out: "", err: "" };
  const clock = new SteppedClock();
  const fetch = async (url: string) => {
    const body = answer(new URL(url).pathname);
    return body === undefined
      ? Response.json({ message: "not there" }, { status: 404 })
      : Response.json({ metadata: {}, ...body });
  };
  const credentials = async () => ({ token: undefined, tls: undefined });
  const code = await runCloudCli(line.split(" "), {
    ...{ clock, environment: {}, terminal: false },
    out: async (text) => {
      said.out += text;
    },
    err: (text) => {
      said.err += text;
    },
    open: async () => new KubeClient({ url: "http://api", credentials }, "test", fetch, clock),
  });
  return { code, ...said };
}

describe("selvedge-cloud's commands for people", () => {
  test("every command of the table is done by something, and nothing else is", () => {
    expect(Object.keys(EXECUTORS)).toEqual(PROGRAM.commands.map(({ words }) => words.join(" ")));
    expect(["nodes", "operator"].map((word) => isCliCommand([word]))).toEqual([true, false]);
  });

  for (const { words, summary } of PROGRAM.commands) {
    test(`${words.join(" ")} explains itself, in lines that fit a terminal`, async () => {
      const { code, out } = await run(`${words.join(" ")} --help`);
      expect([code, out.startsWith(`${summary}\n\nExamples:\n`)]).toEqual([0, true]);
      for (const text of out.split("\n")) expect(text.length).toBeLessThanOrEqual(140);
    });
  }

  test("refuses what it does not know before it asks anybody", async () => {
    expect(await run("topology -o png")).toEqual({
      code: 2,
      out: "",
      err: 'Cannot use --output as it takes one of svg, dot, json: current value is "png".\nSee "selvedge-cloud --help".\n',
    });
  });

  test("waits for so many seconds, and for nothing else", async () => {
    expect(await run("check --wait soon")).toMatchObject({ code: 2, err: expect.stringContaining('"soon"') });
  });

  test("says where it looked for the operator, and what may be wrong with its arguments", async () => {
    const none = await run("nodes -n elsewhere", () => ({ items: [] }));
    expect(none).toMatchObject({ code: 1, err: expect.stringContaining("in namespace elsewhere\n") });
    const container = { name: "o", args: ["operator", "--cluster=paris", "--new-option=1"] };
    const deployment = {
      metadata: { name: "fabedge-operator", namespace: "fabedge" },
      spec: { template: { spec: { containers: [container] } } },
    };
    const newer = await run("nodes", () => ({ items: [deployment] }));
    expect(newer).toMatchObject({
      code: 78,
      err: expect.stringContaining('operator has no argument "--new-option=1"'),
    });
  });
});
