/**
 * Both ends of the connections that the contract tests make: `serve NAME PORT` answers everybody with its name and with
 * whom it sees; `ask PROTOCOL ADDRESS PORT TIMES [SOURCE_PORT]` prints an answer, or an error's code, a line.
 */
const [role = "", ...rest] = process.argv.slice(2);

async function serve(name: string, port: number): Promise<void> {
  // A socket of both families shows IPv4 callers as mapped addresses.
  const plain = (address: string) => address.replace("::ffff:", "");
  Bun.listen({
    hostname: "::",
    port,
    socket: { open: (socket) => void socket.end(`${name} ${plain(socket.remoteAddress)}`), data: () => {} },
  });
  await Bun.udpSocket({
    hostname: "::",
    port,
    socket: { data: (socket, _, from, address) => void socket.send(`${name} ${plain(address)}`, from, address) },
  });
  console.log("ready");
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : String(error);
}

function askTcp(hostname: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const timer = setTimeout(() => resolve("TIMEOUT"), 1500);
    const done = (text: string) => {
      clearTimeout(timer);
      resolve(text);
    };
    Bun.connect({
      hostname,
      port,
      socket: {
        data: (_, bytes) => {
          answer += bytes.toString();
        },
        close: () => done(answer),
        connectError: (_, error) => done(codeOf(error)),
      },
    }).catch(() => {});
  });
}

async function askUdp(address: string, port: number, sourcePort: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const hostname = address.includes(":") ? "::" : "0.0.0.0";
  const socket = await Bun.udpSocket({
    hostname,
    port: sourcePort,
    connect: { hostname: address, port },
    socket: {
      data: (_, bytes) => resolve(bytes.toString()),
      // Bun gives the error alone, whatever its types say.
      error: (...given: readonly unknown[]) => resolve(codeOf(given.find((value) => value instanceof Error))),
    },
  });
  const timer = setTimeout(() => resolve("TIMEOUT"), 1500);
  try {
    socket.send("who");
  } catch (error) {
    resolve(codeOf(error));
  }
  const answer = await promise;
  clearTimeout(timer);
  socket.close();
  return answer;
}

if (role === "serve") await serve(rest[0] ?? "", Number(rest[1]));
else {
  const [protocol, address = "", port, times, sourcePort = "0"] = rest;
  for (let i = 0; i < Number(times); i++) {
    console.log(
      protocol === "tcp"
        ? await askTcp(address, Number(port))
        : await askUdp(address, Number(port), Number(sourcePort)),
    );
  }
  process.exit(0);
}

export {};
