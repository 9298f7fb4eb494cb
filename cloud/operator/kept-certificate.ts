import { fromPem, toPem } from "../../src/certificate/pem.ts";

/** In PEM, and in no DER that is kept. */
const BEGIN = "-----BEGIN CERTIFICATE-----";

/**
 * A certificate's text as it is kept in memory: its DER, a letter a byte, which is half of its PEM. Ten thousand of them are
 * most of what there is of Secrets. One that is written in another way than ours stays as it is; what is none is nothing.
 */
export function keepCertificate(pem: string): string {
  const der = fromPem("CERTIFICATE", pem);
  if (der === undefined) return "";
  const kept = Buffer.from(der.buffer, der.byteOffset, der.length).toString("latin1");
  return pem === toPem("CERTIFICATE", der) && !kept.includes(BEGIN) ? kept : pem;
}

/** @param kept as {@link keepCertificate} gave it */
export function pemOf(kept: string): string {
  return kept === "" || kept.includes(BEGIN) ? kept : toPem("CERTIFICATE", Buffer.from(kept, "latin1"));
}
