/** `ADDRESS PACKETS TIMES` sends packets to DNS as fast as it can, so often, and prints how many went in which time. */
const [hostname = "", packets, times] = process.argv.slice(2);

const local = hostname.includes(":") ? "::" : "0.0.0.0";
const socket = await Bun.udpSocket({ hostname: local, connect: { hostname, port: 53 } });
const batch = Array.from({ length: 50 }, () => "flood");
const wanted = Number(packets) * Number(times);
const start = performance.now();
let sent = 0;
while (sent < wanted) {
  sent += socket.sendMany(batch);
  // A full link is no end: the rest goes when there is room.
  await new Promise(setImmediate);
}
console.log(JSON.stringify({ sent, seconds: (performance.now() - start) / 1000 }));
process.exit(0);

export {};
