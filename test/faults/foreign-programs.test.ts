import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { seconds } from "../../src/base/duration.ts";
import { Namespace } from "../lab/namespace.ts";
import type { LabProcess } from "../lab/process.ts";
import { waitFor } from "../lab/wait-for.ts";
import { backendsOf, conditionOf, curl, EDGE_ADDRESS, selvedge } from "../support/edge-world.ts";
import { SharedNode, WEB } from "../support/shared-node.ts";

const PUBLISHED_PORT = 8088;
const BACKEND = join(import.meta.dir, "../support/backend.ts");

let node: SharedNode;
beforeAll(async () => {
  const strongSwan = ["strongswan-charon", "libcharon-extra-plugins", "strongswan-swanctl"];
  node = await SharedNode.create(["docker.io", "iptables", "systemd-resolved", ...strongSwan]);
}, SharedNode.createLimit);
afterAll(() => node?.[Symbol.asyncDispose]());

const shell = (script: string) => node.debian.output(["sh", "-euc", script], { timeout: seconds(60) });
const works = () => waitFor("all services", async () => node.works().then(() => true));

/** A container image of socat and what it loads. */
const IMAGE = `
mkdir -p /var/image
for file in /usr/bin/socat $(ldd /usr/bin/socat | grep -o '/[^ ]*'); do
  mkdir -p "/var/image$(dirname "$file")"
  cp -L "$file" "/var/image$file"
done
printf 'HTTP/1.0 200 OK\\r\\n\\r\\ncontainer\\n' >/var/image/answer
tar -C /var/image -c . | /usr/bin/docker import - socat
`;
const SERVE = `socat TCP-LISTEN:80,fork,reuseaddr "OPEN:/answer,rdonly!!/dev/null"`;

describe("beside docker", () => {
  const docker = (words: string) => shell(`/usr/bin/docker ${words}`);
  const published = () => curl(node.world.cloud, `http://${EDGE_ADDRESS}:${PUBLISHED_PORT}/`);
  const containerWorks = () => waitFor("the container", async () => (await published()) === "container");

  test(
    "services and names work, and a connection goes on, through its start, containers, networks and restart",
    async () => {
      const ours = await node.ours();
      await shell(`systemctl start docker\n${IMAGE}`);
      for (const step of [
        () => docker(`run --detach --restart=always --name web --publish ${PUBLISHED_PORT}:80 socat ${SERVE}`),
        () => docker("network create other"),
        () => shell("systemctl restart docker"),
        () => docker("network rm other"),
      ]) {
        await step();
        await works();
        await containerWorks();
        expect(await node.ours()).toBe(ours);
      }
    },
    seconds(60),
  );

  test("containers have services too", async () => {
    const request = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | /usr/bin/docker exec --interactive web";
    const answer = await shell(`${request} socat -t5 - TCP:${WEB.clusterIp}:80`);
    expect(answer).toMatch(/web-[12] /);
  });

  test(
    "its rules and routes stay what they are, byte for byte, and its containers work, whatever the agent does",
    async () => {
      const theirs = await node.theirs();
      expect(theirs).toContain(`dport ${PUBLISHED_PORT}`);
      await node.doEverything();
      expect(await node.theirs()).toBe(theirs);
      await containerWorks();
    },
    seconds(60),
  );

  test("it is seen that pods' packets pass once DOCKER-USER takes them, both ways", async () => {
    // As docker does where it is the one that turns forwarding on.
    await shell("iptables -P FORWARD DROP");
    expect(await node.passingForwards()).toBe("");
    await shell("iptables -I DOCKER-USER -i cni0 -j ACCEPT");
    expect(await node.passingForwards()).toBe("from");
    await shell("iptables -I DOCKER-USER -o cni0 -j ACCEPT");
    expect(await node.passingForwards()).toBe("from and to");
    await shell("iptables -P FORWARD ACCEPT");
  });

  test("its end changes nothing for services", async () => {
    await shell("systemctl stop docker docker.socket containerd");
    await works();
  });
});

describe("beside systemd-resolved", () => {
  const ask = async (name: string) => (await node.debian.run(["resolvectl", "--cache=no", "query", name])).stdout;
  const upstreams = (...addresses: readonly string[]) =>
    node.world.edge.writeFile("/etc/resolv.conf", addresses.map((address) => `nameserver ${address}\n`).join(""));

  test("that knows us for the cluster's names, its clients have those, and ours still ask us", async () => {
    await shell("systemctl start dbus systemd-resolved");
    await shell("resolvectl dns fabedge-dummy0 169.254.25.10; resolvectl domain fabedge-dummy0 '~cluster.local'");
    for (const action of ["status", "restart"]) {
      await shell(`systemctl ${action} systemd-resolved >&2`);
      await waitFor("the name", async () => (await ask("web.default.svc.cluster.local")).includes(WEB.clusterIp));
      await works();
    }
    const listeners = await shell("ss -H -lun 'sport = :53'");
    for (const address of ["127.0.0.53", "169.254.25.10"]) expect(listeners).toContain(address);
  });

  test(
    "whose stub is our upstream and that asks us for everything is a loop that a condition names, without harm",
    async () => {
      await upstreams("127.0.0.53");
      await shell("resolvectl domain fabedge-dummy0 '~.'");
      const condition = await waitFor("the loop", () => conditionOf(node.world.edge, "DNS_FORWARD_LOOP"), {
        timeout: seconds(25),
      });
      expect(condition.message).toContain("127.0.0.53");
      await works();
      expect((await selvedge(node.world.edge, "dns resolve www.example.com")).code).not.toBe(0);
      await upstreams();
      await shell("systemctl stop systemd-resolved");
      await works();
    },
    seconds(60),
  );
});

/** A charon of its own in a network namespace: ESP in user space, as not every kernel has it. */
const CHARON = `
mount -t tmpfs tmpfs /run
cat >/run/strongswan.conf <<END
charon {
  load = random nonce aes sha1 sha2 hmac kdf gmp kernel-libipsec kernel-netlink socket-default vici
  plugins {
    kernel-libipsec {
      load = 10
    }
    vici {
      socket = unix:///run/vici
    }
  }
}
END
cat >/run/swanctl.conf <<END
connections {
  site {
    version = 2
    local_addrs = $1
    remote_addrs = $2
    proposals = aes128-sha256-modp2048
    local {
      auth = psk
      id = $1
    }
    remote {
      auth = psk
      id = $2
    }
    children {
      net {
        local_ts = $3
        remote_ts = $4
        esp_proposals = aes128-sha256
        start_action = $5
      }
    }
  }
}
secrets {
  ike {
    secret = lab
  }
}
END
export STRONGSWAN_CONF=/run/strongswan.conf
(
  until swanctl --load-all --uri unix:///run/vici --file /run/swanctl.conf; do sleep 0.1; done
  echo loaded
) &
exec /usr/lib/ipsec/charon
`;

describe("beside another strongSwan", () => {
  const [POD_NETWORK, OTHER_NETWORK, OTHER_BACKEND] = ["10.244.1.0/24", "10.245.1.0/24", "10.245.1.30"];
  const CLOUD_ADDRESS = "192.0.2.1";
  const FAR = { name: "far", clusterIp: "10.96.0.70", endpoints: [OTHER_BACKEND] };
  const charon = (on: Namespace, ...words: readonly string[]) =>
    on.spawn(["unshare", "--mount", "sh", "-euc", CHARON, "sh", ...words], { ready: /^loaded$/m });
  const charonHere = () => charon(node.debian, EDGE_ADDRESS, CLOUD_ADDRESS, POD_NETWORK, OTHER_NETWORK, "start");
  const farWorks = () =>
    waitFor("the far service", async () => (await backendsOf(node.world.client, FAR.clusterIp)).join() === "far");
  let here: LabProcess;

  test(
    "services work, also those with endpoints behind its tunnel, through its start and restart",
    async () => {
      const { world, debian } = node;
      const far = await world.cloud.pod("far", {
        address: `${OTHER_BACKEND}/24`,
        bridge: { name: "pods", address: "10.245.1.1/24" },
      });
      await far.spawn([process.execPath, BACKEND, "far"], { ready: /ready/ });
      await world.declare(FAR);
      // Installed on the node only: from there into the cloud's network.
      const cloudPid = world.cloud.enter[world.cloud.enter.indexOf("-t") + 1];
      const there = new Namespace("peer", ["nsenter", `--net=/proc/${cloudPid}/ns/net`, ...debian.enter.slice(1)]);
      await charon(there, CLOUD_ADDRESS, EDGE_ADDRESS, OTHER_NETWORK, POD_NETWORK, "none");
      here = await charonHere();
      await farWorks();
      await works();
      await here.stop();
      await works();
      here = await charonHere();
      await farWorks();
      await works();
    },
    seconds(60),
  );

  test(
    "its policy rule, routing table and tunnel stay what they are, byte for byte, whatever the agent does",
    async () => {
      const theirs = await node.theirs();
      expect(theirs).toMatch(/220:\s+from all lookup 220/);
      expect(theirs).toMatch(/10\.245\.1\.0\/24 dev ipsec0 table 220/);
      await node.doEverything();
      expect(await node.theirs()).toBe(theirs);
      await farWorks();
    },
    seconds(60),
  );
});
