/** One room of the chat: the page's parts, tied to one client of fanout.v1. */
import { connect } from "../fanout/client.js";
import { colourOf } from "../fanout/colours.js";
import { showLine } from "../fanout/line.js";
import { Composer } from "./composer.js";
import { MessageLog } from "./log.js";
import { Older } from "./older.js";
import { KEPT, Outgoing } from "./outgoing.js";
import { missing, notSent } from "./rules.js";
import { draftOf, nameSetting, ownOf, panel, roomSetting } from "./settings.js";

/** @type {(id: string) => any} */
const part = (id) => document.getElementById(id);
const { room = "", group = "", socket = "", messageMaxBytes, account } = document.body.dataset;

// `?transport=sse` (or poll, websocket) takes that way only: to see how the page fares on a bad network.
const asked = new URLSearchParams(location.search).get("transport");
const transport = /** @type {any} */ (["websocket", "sse", "poll"].find((way) => way === asked));
const client = connect({ url: socket, groups: [group], last: KEPT, transport });
showLine(client);
const own = ownOf(room);
const outgoing = /** @type {Outgoing<HTMLElement>} */ (new Outgoing(own.read()));
const draft = draftOf(room);
const log = new MessageLog({
  scroller: part("log"),
  list: part("messages"),
  empty: part("empty"),
  pill: part("pill"),
  nearBeginning: () => past.askSoon(),
});
const past = new Older({
  group,
  button: part("older"),
  said: part("older-said"),
  oldest: () => log.oldest,
  show: (publications) => log.before(publications.filter(isMessage).map(shownAs)),
});

let joined = false;
/** Older messages still to come, after the first join. @type {number | undefined} */
let older;
/** Whether there are more of them than the stream has. */
let forgotten = false;
let unseen = 0;

const closePanel = panel(part("settings-toggle"), part("settings"));
const myName = nameSetting(part("name-form"), part("name"), {
  kept: (name) => {
    part("me").textContent = name;
    part("me").dataset.series = colourOf(name);
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
    const position = await client.publish(group, { message, name: entry.name, ...(account && { as: account }) });
    part("again").hidden = true;
    if (position) log.own(outgoing.acknowledge(entry, position));
    own.write(outgoing.own);
    if (joined) composer.check();
  } catch (error) {
    const { code } = /** @type {import("../fanout/client.js").FanoutError} */ (error);
    composer.giveBack(message, notSent(/** @type {import("../fanout/client.js").FanoutError} */ (error)));
    part("again").hidden = !(account && code === "forbidden");
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

client.on("state", ({ state }) => {
  joined &&= state === "open";
});

client.on("joined", ({ recovered, offset = 0 }) => {
  joined = true;
  composer.check();
  past.offer();
  // A stream that holds fewer than were asked for, and is not new, has forgotten some.
  if (older === undefined) forgotten = recovered < KEPT && offset > recovered;
  older ??= recovered;
  if (older === 0) fill();
  log.loading(older > 0);
  log.ready();
});

client.on("publication", ({ data, epoch, offset, recovered }) => {
  const isOlder = recovered && older > 0;
  if (isOlder) older -= 1;
  if (isMessage({ data })) {
    const time = recovered ? null : Date.now();
    const item = log.message({ ...shownAs({ data, epoch, offset }), time });
    outgoing.shown({ epoch, offset }, item);
    if (document.hidden && !isOlder) titleWith(unseen + 1);
  }
  if (isOlder) log.loading(older > 0);
  if (older === 0) fill();
});

/** @param {{data: any}} publication */
const isMessage = ({ data }) => typeof data?.message === "string";

/** @param {{data: any, epoch: string, offset: number}} publication */
function shownAs({ data, epoch, offset }) {
  const name = typeof data.name === "string" && data.name.trim() ? data.name : "Anonymous";
  const position = { epoch, offset };
  return { text: data.message, name, own: outgoing.isOwn(position), position, account: data.account === true };
}

/** Ask for what the stream has forgotten, behind all that it has not: once, the rest comes as one scrolls. */
function fill() {
  if (!forgotten) return;
  forgotten = false;
  past.ask();
}

client.on("reset", ({ reason, epoch, offset }) => {
  for (const { message, name } of outgoing.takePassed({ epoch, offset })) log.message({ text: message, name, own: true });
  log.note(missing(reason));
  if (document.hidden) titleWith(unseen + 1);
});

client.on("error", ({ message }) => {
  if (joined) composer.tell(message); // else the line says it
});

document.addEventListener("visibilitychange", () => document.hidden || titleWith(0));

const title = document.title;
/** @param {number} count Messages that came while the page was not in sight. */
function titleWith(count) {
  unseen = count;
  document.title = count ? `(${count}) ${title}` : title;
}
