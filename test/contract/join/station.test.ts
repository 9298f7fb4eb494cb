import { afterAll, expect, test } from "bun:test";
import type { JoinDesk } from "../../../cloud/join/join-desk.ts";
import { planJoinCertificate } from "../../../cloud/operator/admission.ts";
import { readSigner, type Signer, takeAuthorityStep } from "../../../cloud/operator/certificates.ts";
import { JoinStation, joinNames } from "../../../cloud/wiring/join-station.ts";
import { minutes, seconds } from "../../../src/base/duration.ts";
import { Log, type LogRecord } from "../../../src/base/log.ts";
import { Scope } from "../../../src/base/scope.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { SteppedClock } from "../../support/stepped-clock.ts";

const scope = new Scope();
afterAll(() => scope.close());

async function newSigner(): Promise<Signer> {
  const texts = takeAuthorityStep({ step: "create", why: "" }, {}, "fabedge.io", Date.now());
  const signer = readSigner(texts);
  if (signer === undefined) throw new Error("there is no authority");
  return signer;
}

test("the place to join opens once there is an authority, and shows a new certificate without closing", async () => {
  const clock = new SteppedClock(Date.now());
  const log: LogRecord[] = [];
  const desk = { bundle: async () => "authorities" } as Pick<JoinDesk, "bundle"> as JoinDesk;
  let signer: Signer | undefined;
  new JoinStation(
    {
      listen: { hostname: "127.0.0.1", port: 0 },
      names: planJoinCertificate("paris", "fabedge.io", joinNames(["127.0.0.1", "join.example"])),
      signer: () => signer,
      desk,
      clock,
      log: new Log((record) => log.push(record), "info"),
    },
    scope,
  );
  await waitFor("the first look", () => clock.pending === 1);
  expect(log).toEqual([]);

  signer = await newSigner();
  await clock.advance(seconds(1));
  const port = await waitFor("the port", () => log.find(({ event }) => event === "join.listening")?.fields.port);
  const url = `https://127.0.0.1:${port}/v1/authorities`;
  // Without keeping the connection: who connects anew is who sees a new certificate.
  const ask = (ca: string) => fetch(url, { tls: { ca }, headers: { connection: "close" }, keepalive: false });
  const first = signer.authority.certificate;
  expect(await (await ask(first)).text()).toBe("authorities");

  signer = await newSigner();
  const second = signer.authority.certificate;
  await waitFor("the next look's timer", () => clock.pending === 1);
  await clock.advance(minutes(10));
  await waitFor("the new certificate", () => ask(second).then(({ ok }) => ok));
  expect(await ask(first).catch((error) => error)).toBeInstanceOf(Error);
});

test("names are told from addresses", () => {
  expect(joinNames(["192.0.2.1", "join.example", "fd00::1", "192.0.2.1"])).toEqual({
    dnsNames: ["join.example"],
    ips: ["192.0.2.1", "fd00::1"],
  });
});
