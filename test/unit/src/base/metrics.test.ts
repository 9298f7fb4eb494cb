import { expect, test } from "bun:test";
import { Metrics } from "../../../../src/base/metrics.ts";

test("metrics render as Prometheus reads them: cumulative buckets, escaped labels", () => {
  const metrics = new Metrics("selvedge");
  metrics.counter("dns_requests_total", "Questions answered.").add(2, { rcode: 'NO"ERR\n' });
  const seconds = metrics.histogram("nft_apply_seconds", "Transactions.", [0.01, 0.1]);
  for (const value of [0.005, 0.05, 0.05, 7]) seconds.observe(value);
  metrics.gauge("cloud_connected", "1 while the source answers.", () => 1);
  metrics.gauge("cache_objects", "By kind.", () => [[{ kind: "Service" }, 3]]);
  expect(metrics.render()).toBe(`# HELP selvedge_dns_requests_total Questions answered.
# TYPE selvedge_dns_requests_total counter
selvedge_dns_requests_total{rcode="NO\\"ERR\\n"} 2
# HELP selvedge_nft_apply_seconds Transactions.
# TYPE selvedge_nft_apply_seconds histogram
selvedge_nft_apply_seconds_bucket{le="0.01"} 1
selvedge_nft_apply_seconds_bucket{le="0.1"} 3
selvedge_nft_apply_seconds_bucket{le="+Inf"} 4
selvedge_nft_apply_seconds_sum 7.105
selvedge_nft_apply_seconds_count 4
# HELP selvedge_cloud_connected 1 while the source answers.
# TYPE selvedge_cloud_connected gauge
selvedge_cloud_connected 1
# HELP selvedge_cache_objects By kind.
# TYPE selvedge_cache_objects gauge
selvedge_cache_objects{kind="Service"} 3
`);
  expect(() => metrics.counter("cloud_connected", "")).toThrow("twice");
});
