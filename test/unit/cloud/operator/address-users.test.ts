import { describe, expect, test } from "bun:test";
import { AddressUsers } from "../../../../cloud/operator/address-users.ts";
import { ip } from "../../../support/network-objects.ts";

const HOME = ip("192.168.1.10");
const OTHER = ip("192.168.1.11");

const others = (users: AddressUsers, node: string) =>
  users
    .problemsOf(node)
    .map(({ message }) => /as node (\S+) has the same: it is taken for (\S+)'s$/.exec(message)?.slice(1));

describe("nodes with one address", () => {
  test("are told so, and whose it is taken for, until each has its own", () => {
    const users = new AddressUsers();
    users.set("e1", [OTHER, HOME]);
    expect([...users.settle()]).toEqual([]);
    users.set("e2", [HOME]);
    expect([...users.settle()].sort()).toEqual(["e1", "e2"]);
    expect(users.problemsOf("e1")).toMatchObject([{ code: "NODE_ADDRESS_SHARED", severity: "info" }]);
    expect(users.problemsOf("e2")[0]?.message).toContain(HOME);
    expect([others(users, "e1"), others(users, "e2")]).toEqual([[["e2", "e1"]], [["e1", "e1"]]]);
    users.set("e2", [ip("192.168.1.12")]);
    expect([...users.settle()]).toEqual(["e1"]);
    expect([...users.problemsOf("e1"), ...users.problemsOf("e2")]).toEqual([]);
  });

  test("leave it to the one whose name sorts first, and all others keep what is theirs alone", () => {
    const users = new AddressUsers();
    users.set("e2", [HOME]);
    users.set("e3", [OTHER, HOME]);
    expect([users.ownedBy("e2"), users.ownedBy("e3")]).toEqual([[HOME], [OTHER]]);
    expect(users.sharers()).toEqual(["e3"]);
    users.set("e1", [HOME]);
    expect([users.ownedBy("e1"), users.ownedBy("e2")]).toEqual([[HOME], []]);
    expect([...users.settle()].sort()).toEqual(["e1", "e2", "e3"]);
    users.set("e1", []);
    expect([...users.settle()].sort()).toEqual(["e2", "e3"]);
    expect([users.ownedBy("e2"), users.ownedBy("e3")]).toEqual([[HOME], [OTHER]]);
    users.set("e2", []);
    expect([...users.settle()]).toEqual(["e3"]);
    expect(users.ownedBy("e3")).toEqual([OTHER, HOME]);
    expect(users.sharers()).toEqual([]);
  });

  test("leave it to a node of the cloud, whatever its name is", () => {
    const users = new AddressUsers();
    users.set("e1", [HOME]);
    users.set("worker", [HOME], true);
    expect([users.ownedBy("e1"), users.ownedBy("worker")]).toEqual([[], [HOME]]);
    users.set("worker", [HOME], false);
    expect([users.ownedBy("e1"), users.ownedBy("worker")]).toEqual([[HOME], []]);
  });

  test("concern nobody when one tells again what it has", () => {
    const users = new AddressUsers();
    for (const node of ["e1", "e2", "e3"]) users.set(node, [HOME]);
    users.settle();
    for (const node of ["e1", "e2", "e3"]) users.set(node, [HOME]);
    expect([...users.settle()]).toEqual([]);
  });

  test("concern only the one that comes last and goes, of a thousand", () => {
    const users = new AddressUsers();
    for (let i = 0; i < 1000; i++) users.set(`e${i}`, [HOME]);
    users.settle();
    users.set("late", [HOME]);
    expect([...users.settle()]).toEqual(["late"]);
    users.set("late", []);
    expect([...users.settle()]).toEqual([]);
  });

  test("are told the same in whatever order they came", () => {
    const told = (...nodes: readonly string[]) => {
      const users = new AddressUsers();
      for (const node of nodes) users.set(node, [HOME]);
      users.set("e0", []);
      return ["e1", "e2", "e3"].map((node) => [users.ownedBy(node), others(users, node)]);
    };
    const expected = told("e1", "e2", "e3");
    for (const order of [
      ["e3", "e2", "e1"],
      ["e2", "e0", "e3", "e1"],
      ["e0", "e3", "e1", "e2"],
    ]) {
      expect(told(...order)).toEqual(expected);
    }
  });
});
