import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { seconds } from "../../../src/base/duration.ts";
import { waitFor } from "../../lab/wait-for.ts";
import { administrator, inCluster, kubectl } from "../../support/in-cluster.ts";
import { addNode, installCrds, NAMESPACE, see } from "../../support/operator-world.ts";

const PROGRAM = join(import.meta.dir, "../../../cloud/main.ts");
/** Where a pod finds them. */
const ACCOUNT = "/run/secrets/kubernetes.io/serviceaccount";

inCluster(import.meta.path, () => {
  let url: URL;
  let operator: Bun.Subprocess<"ignore", "ignore", "pipe">;
  let log = "";

  beforeAll(async () => {
    const { credentials, url: server } = await administrator();
    url = new URL(server);
    await installCrds();
    await addNode("e1", 1);
    kubectl("create", "serviceaccount", "operator", `-n${NAMESPACE}`);
    kubectl(
      "create",
      "clusterrolebinding",
      "operator",
      "--clusterrole=cluster-admin",
      `--serviceaccount=${NAMESPACE}:operator`,
    );
    mkdirSync(ACCOUNT, { recursive: true });
    await Bun.write(`${ACCOUNT}/ca.crt`, (await credentials()).tls?.ca ?? "");
    await Bun.write(`${ACCOUNT}/token`, newToken("first"));
    operator = Bun.spawn(
      [
        ...[
          process.execPath,
          PROGRAM,
          "operator",
          "--cluster=paris",
          "--cni-type=flannel",
          "--cluster-cidr=10.1.0.0/16",
        ],
        ...["--connector-public-addresses=198.51.100.1", "--http-bind=127.0.0.1:8081", "--log-level=debug"],
      ],
      {
        env: { PATH: "/usr/bin:/bin", KUBERNETES_SERVICE_HOST: url.hostname, KUBERNETES_SERVICE_PORT: url.port },
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
      },
    );
    void (async () => {
      const decoder = new TextDecoder();
      for await (const chunk of operator.stderr) log += decoder.decode(chunk);
    })();
  });
  afterAll(() => operator?.kill());

  /** A token that is good for as long as a Secret of that name is there. */
  function newToken(secret: string): string {
    kubectl("create", "secret", "generic", secret, `-n${NAMESPACE}`);
    return kubectl(
      ...["create", "token", "operator", `-n${NAMESPACE}`],
      ...["--bound-object-kind=Secret", `--bound-object-name=${secret}`],
    ).trim();
  }
  const ask = (path: string) => fetch(`http://127.0.0.1:8081${path}`);
  const waitLog = (what: string, text: string) =>
    waitFor(what, () => log.includes(text)).catch((error) => {
      throw new Error(`${error.message}\n${log}`);
    });

  describe("selvedge-cloud operator in a pod", () => {
    test("leads by its service account, writes, and says so to probes and to Prometheus", async () => {
      await waitLog("it leads", '"operator.leading"');
      await waitFor("the ConfigMap", () => see("configmap", "fabedge-agent-config-e1"));
      expect((await ask("/livez")).status).toBe(200);
      await waitFor("it is ready", async () => (await ask("/readyz")).status === 200);
      const metrics = await (await ask("/metrics")).text();
      expect(metrics).toContain("\nselvedge_operator_leader 1\n");
      expect(metrics).toContain('\nselvedge_operator_objects{kind="Node"} 1\n');
      expect(metrics).toMatch(/\nselvedge_workqueue_adds_total \d+\n/);
    });

    test("goes on with a new token when the old one ends, without being told", async () => {
      const old = await Bun.file(`${ACCOUNT}/token`).text();
      await Bun.write(`${ACCOUNT}/token`, newToken("second"));
      kubectl("delete", "secret", "first", `-n${NAMESPACE}`);
      const statusOf = async () => {
        const { tls } = await (await administrator()).credentials();
        const headers = { authorization: `Bearer ${old}` };
        return (await fetch(new URL("/api/v1/nodes", url), { headers, tls: { ca: tls?.ca ?? "" } })).status;
      };
      // The server remembers for ten seconds whom it has believed.
      await waitFor("the old token is refused", async () => (await statusOf()) === 401, { timeout: seconds(30) });
      kubectl("annotate", "node", "e1", "fabedge.io/node-public-addresses=203.0.113.99");
      await waitFor("the change", async () =>
        (await see("configmap", "fabedge-agent-config-e1"))?.data?.["tunnels.yaml"]?.includes("203.0.113.99"),
      );
      expect(log).not.toContain("KUBE_UNAUTHORIZED");
    }, 60_000);

    test("gives its lease up when it is told to stop", async () => {
      operator.kill("SIGTERM");
      expect(await operator.exited).toBe(0);
      const lease = JSON.parse(kubectl("get", "lease", "fabedge-operator-leader", `-n${NAMESPACE}`, "--output=json"));
      expect(lease.spec.holderIdentity ?? "").toBe("");
    });
  });
});
