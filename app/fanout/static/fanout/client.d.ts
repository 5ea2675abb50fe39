/**
 * A client of `fanout.v1` for pages: joins groups, publishes, and comes back by itself when the connection is lost.
 *
 *     const client = connect({ url: "/ws/", groups: ["chat.lobby"], last: 50 });
 *     client.on("publication", ({ group, data }) => console.log(group, data));
 *     await client.publish("chat.lobby", { message: "hi" });
 *
 * Durable group: every publication comes once, in order, over all reconnects, or `reset` tells that some are missing.
 * A publish is in the group once when it is resolved, whatever the connection did meanwhile; the order of one group's
 * publishes is kept. Rejected as `unacknowledged` it may have arrived or not.
 *
 * Ephemeral group: what is published while the connection is lost does not arrive, and nothing is sent twice (over
 * polls, the latest of each value comes, and may come twice).
 *
 * A WebSocket that did not open twice gives way to an event stream, a stream that is held up to polls; a WebSocket is
 * tried again beside them, and taken without a gap when it opens.
 *
 * The scripts are short for the wire; what needs words stands here.
 */

export type Transport = "websocket" | "sse" | "poll";

/** "I have everything up to here", in a durable group. */
export interface Position {
  epoch: string;
  offset: number;
}

/** Why something was refused: `code` for programs (the server's, or `not_connected`, `unacknowledged`, `left`), a sentence for people. */
export class FanoutError extends Error {
  constructor(code: string, message: string);
  code: string;
}

export interface State {
  /** `closed` is final until `retryNow()`. */
  state: "connecting" | "open" | "waiting" | "closed";
  /** By which it is tried or open. */
  transport?: Transport;
  /** When `waiting` ends, in ms since 1970. */
  retryAt?: number;
  /** When `waiting`: the browser says that there is no network. */
  offline?: boolean;
  /** Close code of the connection that was lost. */
  code?: number;
  /** What the server said about it. */
  reason?: string;
}

export interface JoinOptions {
  /** So many older publications come first, 1000 at most. */
  last?: number;
  /** Begin behind this position: what lies behind it comes first, or `reset` tells that it can't be had. */
  since?: Position;
  /** Be told who is there, where the group's kind keeps it. */
  presence?: boolean;
  /** What the others see of this client, as far as the kind takes it. */
  info?: unknown;
}

export interface ClientOptions {
  /** The WebSocket's address, seen from the page. */
  url: string;
  /** Where the addresses of the fallbacks lie; the root of the page's host unless given. */
  http?: string;
  /** Use this one only. */
  transport?: Transport | null;
  random?: () => number;
  WebSocket?: typeof WebSocket;
  fetch?: typeof fetch;
}

export interface Member {
  id: string;
  info: unknown;
}

export interface Events {
  /** Whenever it changes. */
  state: State;
  /** After each join, also those after a reconnect, before its publications. `epoch` and `offset` are the position
   * behind the `recovered` ones that follow. `member` is your name in the presence. */
  joined: {
    group: string;
    replica: string;
    recovered: number;
    epoch?: string;
    offset?: number;
    reset?: string;
    member?: string;
    presence?: { count: number; members: Member[] };
  };
  /** `recovered` when it was published before the join. */
  publication: { group: string; data: any; epoch?: string; offset?: number; recovered: boolean };
  /** Publications are missing up to this position. */
  reset: { group: string; reason: string } & Position;
  /** Who came and went (`join`, `leave`), or who is there (`members`). */
  presence: { group: string; count: number; join?: Member[]; leave?: string[]; members?: Member[] };
  /** What no promise carries, and what is tried again because the server was unavailable. */
  error: FanoutError;
}

/** Open a connection and join the groups. */
export function connect(options: ClientOptions & JoinOptions & { groups?: string[] }): FanoutClient;

export class FanoutClient extends EventTarget {
  constructor(options: ClientOptions);
  state: State;
  /** Join a group now and after every reconnect, then behind the last publication that came. Resolved by the first
   * `joined`, rejected when the server refuses. */
  join(group: string, options?: JoinOptions): Promise<void>;
  /** Leave a group, also for the reconnects to come. */
  leave(group: string): Promise<void>;
  /** Publish anything that JSON can say. Resolved with its position when the server has acknowledged it (null in an
   * ephemeral group); until then it is sent again on each new connection, for a minute at most. */
  publish(group: string, data: unknown): Promise<Position | null>;
  /** Call the listener with the detail of each event of a type. */
  on<T extends keyof Events>(type: T, listener: (detail: Events[T]) => void): void;
  /** Try to connect at once instead of waiting, also after a final close. */
  retryNow(): void;
  /** Close the connection for good. */
  close(): void;
  /** Tell the listeners about an error that no promise carries. */
  report(error: FanoutError): void;
}
