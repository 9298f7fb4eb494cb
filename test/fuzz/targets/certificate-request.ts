import { toPem } from "../../../src/certificate/pem.ts";
import { parseRequest, REQUEST_BYTES_MAX } from "../../../src/certificate/request.ts";
import { decodeDer } from "../../../src/wire/der.ts";
import { hold } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** DER from whoever may reach the operator's port. */
export const target: FuzzTarget = {
  mostBytes: 1536,
  form: "big-endian",
  run: (input) => {
    const der = new Uint8Array(input);
    const elements = decodeDer(der);
    if (elements.ok) {
      hold(der.length === 0 || !decodeDer(der.subarray(0, -1)).ok, "an element that is cut short");
      const length = elements.value.reduce((sum, { whole }) => sum + whole.length, 0);
      hold(length === input.length, `${length} bytes in elements of ${input.length}`);
    }
    const pem = toPem("CERTIFICATE REQUEST", input);
    const request = parseRequest(pem);
    if (!request.ok) hold(request.error.why.length < 200 && pem.length <= REQUEST_BYTES_MAX, "a long reason");
    return `${request.ok ? "a request" : "none"}, ${elements.ok ? Math.min(elements.value.length, 3) : "no"} elements`;
  },
};
