/** One room of the chat: the page's parts, tied to one client of fanout.v1. */
import { connect } from "../fanout/client.js";
import { Composer } from "./composer.js";
import { Line } from "./line.js";
import { MessageLog } from "./log.js";
import { KEPT, Outgoing } from "./outgoing.js";
import { hueOf, missing, notSent } from "./rules.js";
import { draftOf, nameSetting, ownOf, panel, roomSetting } from "./settings.js";

/** @type {(id: string) => any} */
const part = (id) => document.getElementById(id);
const { room = "", group = "", socket = "", messageMaxBytes } = document.body.dataset;

// `?transport=sse` (or poll, websocket) takes that way only: to see how the page fares on a bad network.
const asked = new URLSearchParams(location.search).get("transport");
const transport = /** @type {any} */ (["websocket", "sse", "poll"].find((way) => way === asked));
const client = connect({ url: socket, groups: [group], last: KEPT, transport });
const own = ownOf(room);
const outgoing = /** @type {Outgoing<HTMLElement>} */ (new Outgoing(own.read()));
const draft = draftOf(room);
const line = new Line({
  replica: part("replica"),
  answered: part("answered"),
  state: part("state"),
  countdown: part("countdown"),
  retry: part("retry"),
});
const log = new MessageLog({ scroller: part("log"), list: part("messages"), empty: part("empty"), pill: part("pill") });

let joined = false;
/** Older messages still to come, after the first join. @type {number | undefined} */
let older;
let unseen = 0;

const closePanel = panel(part("settings-toggle"), part("settings"));
const myName = nameSetting(part("name-form"), part("name"), {
  kept: (name) => {
    part("me").textContent = name;
    part("me").dataset.hue = hueOf(name);
  },
  done: () => {
    closePanel();
    part("message").focus();
  },
});
roomSetting(part("room"), part("room-help"));

const composer = new Composer({
  form: part("composer"),
  field: part("message"),
  problem: part("composer-error"),
  maxBytes: Number(messageMaxBytes),
  obstacle: () => (client.state.state === "closed" ? notSent({ code: "not_connected", message: "" }) : null),
  send,
  changed: keepDraft,
});
composer.text = draft.read();

/** What a reload of the page must not lose: the text being typed and what nobody has confirmed. */
function keepDraft() {
  draft.write([...outgoing.unconfirmed, composer.text].filter(Boolean).join("\n"));
}

/** @param {string} message */
async function send(message) {
  const entry = outgoing.add(message, myName());
  const item = waitingItem(message);
  try {
    const position = await client.publish(group, { message, name: entry.name });
    if (position) log.own(outgoing.acknowledge(entry, position));
    own.write(outgoing.own);
    if (joined) composer.check();
  } catch (error) {
    composer.giveBack(message, notSent(/** @type {import("../fanout/client.js").FanoutError} */ (error)));
  }
  outgoing.remove(entry);
  item.remove();
  keepDraft();
}

/** A message that takes long to be confirmed is shown until it is: the line may be down. @param {string} message */
function waitingItem(message) {
  const item = document.createElement("li");
  item.className = "waiting";
  item.textContent = `Sending: ${message.slice(0, 80)}`;
  part("outgoing").append(item);
  return item;
}

client.on("state", (state) => {
  joined &&= state.state === "open";
  line.show(state, joined);
});

client.on("joined", ({ replica, recovered }) => {
  joined = true;
  line.answeredBy(replica);
  line.show(client.state, joined);
  composer.check();
  older ??= recovered;
  log.loading(older > 0);
  log.ready();
});

client.on("publication", ({ data, epoch, offset, recovered }) => {
  const isOlder = recovered && older > 0;
  if (isOlder) older -= 1;
  if (typeof data?.message === "string") {
    const name = typeof data.name === "string" && data.name.trim() ? data.name : "Anonymous";
    const time = recovered ? null : Date.now();
    const item = log.message({ text: data.message, name, own: outgoing.isOwn({ epoch, offset }), time });
    outgoing.shown({ epoch, offset }, item);
    if (document.hidden && !isOlder) titleWith(unseen + 1);
  }
  if (isOlder) log.loading(older > 0);
});

client.on("reset", ({ reason, epoch, offset }) => {
  for (const { message, name } of outgoing.takePassed({ epoch, offset })) log.message({ text: message, name, own: true });
  log.note(missing(reason));
  if (document.hidden) titleWith(unseen + 1);
});

client.on("error", ({ message }) => {
  if (joined) composer.tell(message);
  else line.show({ ...client.state, reason: message }, joined);
});

part("retry").addEventListener("click", () => client.retryNow());
document.addEventListener("visibilitychange", () => document.hidden || titleWith(0));

const title = document.title;
/** @param {number} count Messages that came while the page was not in sight. */
function titleWith(count) {
  unseen = count;
  document.title = count ? `(${count}) ${title}` : title;
}

line.show(client.state, joined);
