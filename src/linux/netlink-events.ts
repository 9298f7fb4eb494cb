import { decodeMessages, type NetlinkMessage } from "../wire/netlink.ts";
import { libc } from "./libc.ts";
import { openNetlink } from "./netlink-socket.ts";

/** Some thousand events between two turns of the event loop. */
const EVENT_RECEIVE_BUFFER = 4 * 1024 * 1024;

export interface NetlinkEventHandler {
  /** Views into the datagram: what has to live longer is copied. */
  readonly onMessages: (messages: readonly NetlinkMessage[]) => void;
  /** Events were lost or not understood: read everything again. */
  readonly onOverflow: () => void;
  /** Events ended, or a handler threw: what follows may be seen only by reading everything now and then. */
  readonly onFailure: (error: unknown) => void;
}

/**
 * What the kernel tells of its own accord. No thread and no timer: Bun's event loop watches the descriptor.
 *
 * When the receive buffer overflows, `recv` fails once with ENOBUFS and Bun closes the socket. A new one is subscribed
 * before the overflow is reported, so nothing that happens after the report is missed.
 */
export class NetlinkEvents {
  readonly #open: () => number;
  readonly #handler: NetlinkEventHandler;
  #socket: Bun.Socket | undefined;
  #closed = false;

  private constructor(open: () => number, handler: NetlinkEventHandler) {
    this.#open = open;
    this.#handler = handler;
  }

  /**
   * @param groups numbers of multicast groups, such as RTNLGRP_LINK
   * @returns when everything from now on will be reported
   * @throws SelvedgeError with an errno's name as its code
   */
  static async open(
    protocol: number,
    groups: readonly number[],
    handler: NetlinkEventHandler,
    receiveBufferBytes = EVENT_RECEIVE_BUFFER,
  ): Promise<NetlinkEvents> {
    const open = () => openNetlink(protocol, groups, receiveBufferBytes);
    const events = new NetlinkEvents(open, handler);
    await events.#watch(open());
    return events;
  }

  close(): void {
    this.#closed = true;
    this.#socket?.terminate();
  }

  /** Hands the descriptor to Bun, which closes it with the socket. */
  async #watch(fd: number): Promise<void> {
    const options: Bun.FdSocketOptions = {
      fd,
      socket: {
        data: (_, bytes) => this.#read(bytes),
        close: () => this.#reopen(),
        error: (_, error) => this.#handler.onFailure(error),
      },
    };
    try {
      // Bun's types describe the options and leave out the overload that takes them.
      this.#socket = await Bun.connect(options as unknown as Bun.UnixSocketOptions);
    } catch (error) {
      libc().close(fd);
      throw error;
    }
    if (this.#closed) this.#socket.terminate();
  }

  #read(bytes: Uint8Array): void {
    const messages = decodeMessages(bytes);
    if (messages.ok) this.#handler.onMessages(messages.value);
    else this.#handler.onOverflow();
  }

  #reopen(): void {
    if (this.#closed) return;
    try {
      this.#watch(this.#open()).catch(this.#handler.onFailure);
    } catch (error) {
      this.#handler.onFailure(error);
      return;
    }
    this.#handler.onOverflow();
  }
}
