import { startDns } from "../support/dns-server.ts";
import { benchServices } from "./dns-services.ts";

/** The server of test/bench/dns.ts: the capability as the agent runs it, with 10,000 services, until it is ended. */
const [count = "0"] = process.argv.slice(2);
const changes = benchServices(Number(count));
const { dns, port } = await startDns(changes);
console.log(JSON.stringify({ port, serviceCount: dns.status().serviceCount }));
