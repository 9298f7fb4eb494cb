/**
 * The programs in a pod: `backend.ts NAME` answers HTTP on 8080 with its name and with whom it sees, UDP on 8080 with its
 * name, and gives every TCP byte on 7000 back.
 */
const [name = ""] = process.argv.slice(2);

Bun.serve({
  hostname: "0.0.0.0",
  port: 8080,
  fetch: (request, server) => new Response(`${name} ${server.requestIP(request)?.address}\n`),
});
await Bun.udpSocket({
  hostname: "0.0.0.0",
  port: 8080,
  socket: { data: (socket, _, port, address) => void socket.send(`${name}\n`, port, address) },
});
Bun.listen({ hostname: "0.0.0.0", port: 7000, socket: { data: (socket, bytes) => void socket.write(bytes) } });
console.log("ready");

export {};
