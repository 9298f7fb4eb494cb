import { ipFamily, makePrefix, parseIp } from "../../../src/base/ip.ts";
import {
  decodeRoute,
  decodeRouteAnswer,
  decodeRouteTable,
  encodeRouteAdd,
  type Route,
  type RouteFilter,
} from "../../../src/wire/rtnetlink-route.ts";
import { messageOf, PAYLOAD_BYTES, written } from "../netlink-payload.ts";
import { hold, holdSame, refused, unwrap } from "../property.ts";
import type { FuzzTarget } from "../target.ts";

const FILTERS: readonly RouteFilter[] = [
  { family: 4, table: 254 },
  { family: 6, table: 254 },
  { family: 4, table: 220 },
  { family: 6, table: 220 },
];

export const target: FuzzTarget = {
  mostBytes: PAYLOAD_BYTES,
  form: "little-endian",
  run: (input) => {
    const table = decodeRouteTable(messageOf(input));
    hold(table === undefined || table >= 0, `table ${table}`);
    const answer = decodeRouteAnswer(messageOf(input));
    let outcome = "passed over";
    for (const filter of FILTERS) {
      const decoded = decodeRoute(messageOf(input), filter);
      if (!decoded.ok) return refused(decoded.error, input);
      if (decoded.value === undefined) continue;
      check(decoded.value, filter);
      holdSame(unwrap(answer, "what is listed"), decoded.value, "the same as an answer");
      outcome = `a route of type ${decoded.value.type}`;
    }
    return outcome;
  },
};

function check(route: Route, filter: RouteFilter): void {
  const { destination, gateway, source, table } = route;
  hold(table === filter.table, `table ${table}`);
  // A gateway may be of the other family: RTA_VIA.
  hold(gateway === undefined || unwrap(parseIp(gateway), "a gateway") === gateway, `gateway ${gateway}`);
  for (const ip of [destination.address, source]) {
    hold(ip === undefined || ipFamily(ip) === filter.family, `${ip} among routes of IPv${filter.family}`);
  }
  hold(destination.length <= (filter.family === 4 ? 32 : 128), `a prefix of ${destination.length} bits`);
  holdSame(makePrefix(destination.address, destination.length), destination, "host bits in a prefix");
  // Types that only the kernel makes are not written, nor are several next hops.
  if (route.type === "other" || route.multipath === true) return;
  const again = decodeRoute(messageOf(written((writer) => encodeRouteAdd(writer, 1, route))), filter);
  holdSame(unwrap(again, "what was read"), route, "read, written and read again");
}
