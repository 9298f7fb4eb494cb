import { describe, expect, test } from "bun:test";
import { formatCompletion } from "../../../../edge/cli/completion.ts";

/** What bash itself offers for the words, the last of which is being typed. */
async function complete(...words: readonly string[]): Promise<readonly string[]> {
  const script = `${formatCompletion("bash")}
COMP_WORDS=(selvedge ${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length}
_selvedge
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const bash = Bun.spawn(["bash", "--norc", "-c", script], { stdout: "pipe" });
  return (await new Response(bash.stdout).text()).split("\n").filter((line) => line !== "");
}

describe("completion", () => {
  test("bash offers commands, their second words, flags and values", async () => {
    expect(await complete("st")).toEqual(["status"]);
    expect(await complete("dns", "")).toEqual(["resolve"]);
    expect(await complete("config", "")).toEqual(["view"]);
    expect(await complete("completion", "f")).toEqual(["fish"]);
    expect(await complete("services", "--n")).toEqual(["--namespace", "--no-color"]);
    expect(await complete("dns", "resolve", "web", "--t")).toEqual(["--type"]);
    expect(await complete("run", "--enable-")).toEqual(["--enable-proxy", "--enable-dns", "--enable-hairpinmode"]);
    expect(await complete("status", "-o", "")).toEqual(["table", "json", "yaml"]);
    expect(await complete("dns", "resolve", "web", "--type", "S")).toEqual(["SRV", "SOA"]);
  });

  test("zsh takes bash's, and fish has a line for every command and flag", () => {
    expect(formatCompletion("zsh")).toEndWith(formatCompletion("bash"));
    const fish = formatCompletion("fish");
    for (const word of ["-a status", "-a resolve", "-l enable-dns", "-l output -s o"]) expect(fish).toContain(word);
    for (const line of fish.trimEnd().split("\n")) expect(line).toStartWith("complete -c selvedge ");
  });
});
