import { expect, test } from "bun:test";
import { readSysctl, writeSysctl } from "../../../src/linux/sysctl.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";

inNamespace(import.meta.path, () => {
  test("a value is what sysctl shows, and is written once", () => {
    run("sysctl", "-qw", "net.ipv4.ip_forward=0");
    expect(readSysctl("net/ipv4/ip_forward")).toBe("0");
    expect(writeSysctl("net/ipv4/ip_forward", "1")).toBe(true);
    expect(run("sysctl", "-n", "net.ipv4.ip_forward")).toBe("1\n");
    expect(writeSysctl("net/ipv4/ip_forward", "1")).toBe(false);
  });

  test("a link's name may contain a dot", () => {
    run("ip", "link", "add", "br.7", "type", "bridge");
    run("sysctl", "-qw", "net.ipv4.conf.br/7.forwarding=0");
    expect(writeSysctl("net/ipv4/conf/br.7/forwarding", "1")).toBe(true);
    expect(run("sysctl", "-n", "net.ipv4.conf.br/7.forwarding")).toBe("1\n");
    run("ip", "link", "delete", "br.7");
  });

  test("a setting that the kernel does not have is undefined", () => {
    expect(readSysctl("net/ipv4/no_such_thing")).toBeUndefined();
  });

  test("a value that the kernel refuses is an error with its name", () => {
    expect(() => writeSysctl("net/ipv4/ip_forward", "x")).toThrow("Cannot write sysctl net/ipv4/ip_forward");
  });

  test.each(["../etc/passwd", "net/../../etc/passwd", "/net/ipv4/ip_forward", "net"])("%s is not a name", (name) => {
    expect(() => readSysctl(name)).toThrow(RangeError);
  });
});
