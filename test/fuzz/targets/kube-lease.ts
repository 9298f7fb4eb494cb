import { formatLeaseSpec, parseLease } from "../../../src/kube/lease.ts";
import { parseJsonText } from "../../../src/kube/object-reader.ts";
import { hold, holdSame, textOf, withoutNumbers } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

/** A Lease that is read says the same when it is written and read again. */
export const target: FuzzTarget = {
  mostBytes: 1024,
  form: "json",
  words: [
    '"spec":',
    '"metadata":{"resourceVersion":"1"}',
    '"holderIdentity":"a"',
    '"leaseDurationSeconds":15',
    '"leaseTransitions":2147483648',
    '"renewTime":"2026-01-01T00:00:00.000000Z"',
    "-1",
    "null",
    "{",
    "}",
  ],
  run: (input) => {
    const lease = parseLease(parseJsonText(textOf(input)));
    if (!lease.ok) return `refused: ${withoutNumbers(lease.error.why).slice(0, 40)}`;
    const { resourceVersion, record } = lease.value;
    hold(record.durationSeconds >= 0 && record.transitions >= 0, "a count below zero");
    const again = parseLease({ metadata: { resourceVersion }, spec: formatLeaseSpec(record) });
    holdSame(again, lease, "the lease");
    return record.holder === "" ? "released" : "held";
  },
};
