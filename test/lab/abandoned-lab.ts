/** Makes a lab with programs in it and waits to be killed: what a crashed test leaves behind. */
import { Lab } from "./lab.ts";

const lab = await Lab.create();
const lan = await lab.switch("lan");
const host = await lab.host("host");
await host.connect(lan, { address: "192.168.1.1/24" });
await host.spawn(["sh", "-c", "setsid sleep 600 & exec sleep 600"]);
console.log(await host.output(["readlink", "/proc/self/ns/pid", "/proc/self/ns/net"]));
await new Promise(() => setInterval(() => {}, 60_000));
