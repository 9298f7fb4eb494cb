import { expect, test } from "bun:test";
import { readSysctl } from "../../../src/linux/sysctl.ts";
import { inNamespace, run } from "../../support/in-namespace.ts";

inNamespace(import.meta.path, () => {
  test("a value is what sysctl shows", () => {
    for (const value of ["1", "0"]) {
      run("sysctl", "-qw", `net.ipv4.ip_forward=${value}`);
      expect(readSysctl("net/ipv4/ip_forward")).toBe(value);
    }
  });

  test("a link's name may contain a dot", () => {
    run("ip", "link", "add", "br.7", "type", "bridge");
    run("sysctl", "-qw", "net.ipv4.conf.br/7.forwarding=1");
    expect(readSysctl("net/ipv4/conf/br.7/forwarding")).toBe("1");
    run("ip", "link", "delete", "br.7");
  });

  test("a setting that the kernel does not have is undefined", () => {
    expect(readSysctl("net/ipv4/no_such_thing")).toBeUndefined();
  });

  test.each(["../etc/passwd", "net/../../etc/passwd", "/net/ipv4/ip_forward", "net"])("%s is not a name", (name) => {
    expect(() => readSysctl(name)).toThrow(RangeError);
  });
});
