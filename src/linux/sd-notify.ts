import { systemError } from "./errno.ts";
import { libc } from "./libc.ts";

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
/** struct sockaddr_un: u16 family, 108 bytes of path. */
const PATH_LIMIT = 108;

/**
 * Tells systemd how we are, as sd_notify(3) does: one datagram a message to the socket in NOTIFY_SOCKET. Without that
 * variable nobody listens, and nothing is done. A message that does not arrive is no reason to stop: systemd may be busy,
 * and the variable may be left over from whoever started us.
 */
export class SdNotify {
  readonly #address: Uint8Array | undefined;
  readonly #onFailure: (error: unknown) => void;

  /** @param notifySocket the environment's NOTIFY_SOCKET */
  constructor(notifySocket: string | undefined, onFailure: (error: unknown) => void) {
    this.#address = socketAddress(notifySocket ?? "");
    this.#onFailure = onFailure;
  }

  /** Start-up is over. */
  ready(): void {
    this.#send("READY=1");
  }

  stopping(): void {
    this.#send("STOPPING=1");
  }

  alive(): void {
    this.#send("WATCHDOG=1");
  }

  /** One line for `systemctl status`. */
  status(text: string): void {
    this.#send(`STATUS=${text.replaceAll("\n", " ")}`);
  }

  /** Whether anybody listens. */
  get connected(): boolean {
    return this.#address !== undefined;
  }

  /**
   * Leaves a descriptor with systemd, which hands it to the next run of the unit.
   *
   * @param name without a colon
   */
  keepDescriptor(name: string, descriptor: number): void {
    // Without FDPOLL=0 systemd would drop it on an error of the socket's, such as an ICMP message.
    this.#send(`FDSTORE=1\nFDPOLL=0\nFDNAME=${name}`, descriptor);
  }

  dropDescriptor(name: string): void {
    this.#send(`FDSTOREREMOVE=1\nFDNAME=${name}`);
  }

  #send(message: string, descriptor?: number): void {
    if (this.#address === undefined) return;
    const what = "notify systemd";
    const opened = libc().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (opened.value < 0) {
      this.#onFailure(systemError(what, opened.errno));
      return;
    }
    const data = Buffer.from(message);
    const sent =
      descriptor === undefined
        ? libc().sendto(opened.value, data, MSG_NOSIGNAL, this.#address)
        : libc().sendDescriptor(opened.value, data, MSG_NOSIGNAL, this.#address, descriptor);
    libc().close(opened.value);
    if (sent.value < 0) this.#onFailure(systemError(what, sent.errno));
  }
}

/** A path, or "@name" for the abstract namespace; other kinds (vsock) are not for programs of this machine. */
function socketAddress(name: string): Uint8Array | undefined {
  const path = Buffer.from(name);
  if ((path[0] !== 0x2f && path[0] !== 0x40) || path.length >= PATH_LIMIT) return undefined;
  const address = new Uint8Array(2 + path.length + (path[0] === 0x40 ? 0 : 1));
  address[0] = AF_UNIX;
  address.set(path, 2);
  // An abstract name starts with a NUL and has exactly its length; a path ends with one.
  if (path[0] === 0x40) address[2] = 0;
  return address;
}
