import { expect, test } from "bun:test";
import { type LinkEvent, watchLinks } from "../../../src/linux/link-events.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";

inNamespace(import.meta.path, () => {
  test("links and addresses are reported as they come and go", async () => {
    const seen: LinkEvent[] = [];
    const events = await watchLinks(
      (event) => seen.push(event),
      (error) => {
        throw error;
      },
    );
    const has = (matches: (event: LinkEvent) => boolean) => () => seen.some(matches);
    const address = (text: string, gone: boolean) =>
      has((e) => e.kind === "address" && e.address.address === text && e.gone === gone);

    run("ip", "link", "add", "news", "type", "bridge");
    await waitFor(
      "the new link",
      has((e) => e.kind === "link" && e.link.name === "news" && !e.gone),
    );
    run("ip", "address", "add", "10.1.1.1/24", "dev", "news");
    await waitFor("the new IPv4 address", address("10.1.1.1", false));
    run("ip", "address", "add", "fd00::1/64", "dev", "news", "nodad");
    run("ip", "link", "set", "news", "up");
    await waitFor("the new IPv6 address", address("fd00::1", false));
    await waitFor(
      "the link that is up",
      has((e) => e.kind === "link" && e.link.name === "news" && e.link.up),
    );
    run("ip", "address", "delete", "10.1.1.1/24", "dev", "news");
    await waitFor("the address that is gone", address("10.1.1.1", true));
    run("ip", "link", "delete", "news");
    await waitFor(
      "the link that is gone",
      has((e) => e.kind === "link" && e.link.name === "news" && e.gone),
    );
    expect(seen.some((e) => e.kind === "overflow")).toBe(false);
    events.close();
  });
});
