import {
  AF_INET,
  accept4,
  bind,
  close,
  inetAddress,
  listen,
  MSG_NOSIGNAL,
  must,
  recv,
  SO_REUSEADDR,
  SOCK_STREAM,
  SOL_SOCKET,
  send,
  setsockopt,
  socket,
} from "./native.ts";

/** Takes connections on all of its host's addresses, answers one HTTP request on each, and closes: acceptor.ts PORT */
const BACKLOG = 4096;
const ANSWER = new TextEncoder().encode("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");

function serve(port: number): never {
  const listening = must(socket(AF_INET, SOCK_STREAM, 0), "open a socket");
  setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, new Uint8Array(Int32Array.of(1).buffer), 4);
  const address = inetAddress("0.0.0.0", port);
  must(bind(listening, address, address.length), `bind port ${port}`);
  must(listen(listening, BACKLOG), "listen");
  console.log("listening");
  const request = new Uint8Array(4096);
  for (;;) {
    const fd = accept4(listening, null, null, 0);
    // Who only connects is gone by now, and leaves nothing to read.
    if (recv(fd, request, request.length, 0) > 0) send(fd, ANSWER, ANSWER.length, MSG_NOSIGNAL);
    close(fd);
  }
}

if (import.meta.main) serve(Number(process.argv[2]));
