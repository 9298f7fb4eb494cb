import {
  AF_INET,
  close,
  connect,
  inetAddress,
  monotonicSeconds,
  must,
  readable,
  SO_LINGER,
  SOCK_STREAM,
  SOL_SOCKET,
  setsockopt,
  socket,
} from "./native.ts";
import { serveStation } from "./station.ts";

/** Makes TCP connections, one after the other, and times each from SYN to SYN-ACK. */
export interface ConnectorCommands {
  /** @returns seconds, one for each address */
  readonly connect: { readonly argument: Destinations; readonly answer: readonly number[] };
  /** A connection every millisecond, until the next question comes. */
  readonly probe: { readonly argument: Destinations; readonly answer: Probe };
  readonly stop: { readonly argument: null; readonly answer: null };
}

export interface Destinations {
  readonly addresses: readonly string[];
  readonly port: number;
}

export interface Probe {
  readonly connections: number;
  /** Of which this many failed. */
  readonly failures: number;
  readonly longestSeconds: number;
}

const STDIN = 0;
const PROBE_EVERY_MILLISECONDS = 1;
/** struct linger: on, 0 s. Closing sends a reset, and leaves nothing behind on either side. */
const RESET_ON_CLOSE = new Uint8Array(Int32Array.of(1, 0).buffer);

function timeConnection(destination: Uint8Array): number | undefined {
  const fd = must(socket(AF_INET, SOCK_STREAM, 0), "open a socket");
  setsockopt(fd, SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE, RESET_ON_CLOSE.length);
  const started = Bun.nanoseconds();
  const result = connect(fd, destination, destination.length);
  const ended = Bun.nanoseconds();
  close(fd);
  return result < 0 ? undefined : (ended - started) / 1e9;
}

function connectAll({ addresses, port }: Destinations): readonly number[] {
  const destinations = addresses.map((address) => inetAddress(address, port));
  return destinations.map((destination, i) => {
    const seconds = timeConnection(destination);
    if (seconds === undefined) throw new Error(`Cannot connect to ${addresses[i]}:${port}`);
    return seconds;
  });
}

function probe({ addresses, port }: Destinations): Probe {
  const destinations = addresses.map((address) => inetAddress(address, port));
  let [connections, failures, longestSeconds] = [0, 0, 0];
  while (!readable([STDIN], PROBE_EVERY_MILLISECONDS)) {
    const destination = destinations[connections++ % destinations.length];
    if (destination === undefined) break;
    const started = monotonicSeconds();
    if (timeConnection(destination) === undefined) failures++;
    longestSeconds = Math.max(longestSeconds, monotonicSeconds() - started);
  }
  return { connections, failures, longestSeconds };
}

if (import.meta.main) await serveStation<ConnectorCommands>({ connect: connectAll, probe, stop: () => null });
