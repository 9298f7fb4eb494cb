import { expect, test } from "bun:test";
import { failureOf } from "../../../../src/strongswan/tunnel-failure.ts";
import { decodeViciMessage, encodeViciMessage, type ViciFields } from "../../../../src/wire/vici-message.ts";

function said(msg: string, over: ViciFields = {}) {
  const fields = { group: "IKE", "ikesa-name": "paris.e2", "ikesa-uniqueid": 7, msg, ...over };
  const message = decodeViciMessage(encodeViciMessage(fields));
  if (!message.ok) throw new Error(message.error.why);
  return failureOf(message.value);
}

test.each([
  "received AUTHENTICATION_FAILED notify error",
  "received NO_PROPOSAL_CHOSEN notify error",
  "received TS_UNACCEPTABLE notify, no CHILD_SA built",
  "giving up after 7 retransmits",
  'no issuer certificate found for "C=CN, O=fabedge.io, CN=paris.e2"',
  "no trusted ECDSA public key found for 'C=CN, O=fabedge.io, CN=paris.e2'",
  "subject certificate invalid (valid from Jan 01 00:00:00 2020 to Jan 02 00:00:00 2020)",
  "error installing route with policy 10.2.0.0/24 === 10.1.0.0/24 out",
  "unable to install IPsec policies (SPD) in kernel",
  "establishing IKE_SA failed, peer not responding",
  "no private key found for 'C=CN, O=fabedge.io, CN=paris.e1'",
])("charon's sentence %p is a reason", (sentence) => {
  expect(said(sentence)).toEqual({ connection: "paris.e2", ikeId: 7, text: sentence });
});

test.each([
  "initiating IKE_SA paris.e2[4] to 192.168.1.2",
  "sending packet: from 192.168.1.1[500] to 192.168.1.2[500] (892 bytes)",
  "authentication of 'C=CN, O=fabedge.io, CN=paris.e1' (myself) with ECDSA_WITH_SHA256_DER successful",
  "CHILD_SA paris.e2-p2p{1} established with SPIs 3c7318d9_i f128b4f8_o and TS 10.1.0.0/24 === 10.2.0.0/24",
  "scheduling rekeying in 13921s",
])("charon's sentence %p is none", (sentence) => {
  expect(said(sentence)).toBeUndefined();
});

test("what is of no connection is none, and a sentence has a length", () => {
  expect(said("giving up after 7 retransmits", { "ikesa-name": undefined })).toBeUndefined();
  expect(said(`failed ${"x".repeat(10_000)}`)?.text).toHaveLength(256);
});
