import { expect, test } from "bun:test";
import { AddressUsers } from "../../../../cloud/operator/address-users.ts";
import { ip } from "../../../support/network-objects.ts";

const HOME = ip("192.168.1.10");

test("nodes with one address are told so, until each has its own", () => {
  const users = new AddressUsers();
  users.set("e1", [ip("192.168.1.9"), HOME]);
  expect([...users.settle()]).toEqual([]);
  users.set("e2", [HOME]);
  expect([...users.settle()].sort()).toEqual(["e1", "e2"]);
  expect(users.problemsOf("e1")).toMatchObject([{ code: "NODE_ADDRESS_SHARED", severity: "info" }]);
  expect(users.problemsOf("e2")[0]?.message).toContain(HOME);
  users.set("e2", [ip("192.168.1.11")]);
  expect([...users.settle()]).toEqual(["e1"]);
  expect([...users.problemsOf("e1"), ...users.problemsOf("e2")]).toEqual([]);
});

test("one more of a thousand sites with the same addresses concerns itself alone", () => {
  const users = new AddressUsers();
  for (let i = 0; i < 1000; i++) users.set(`e${i}`, [HOME]);
  users.settle();
  users.set("late", [HOME]);
  expect([...users.settle()]).toEqual(["late"]);
  users.set("late", []);
  expect([...users.settle()]).toEqual([]);
});
