/** One room of the chat: the page's parts, tied to one client of fanout.v1. */
import { connect } from "../fanout/client.js";
import { Composer } from "./composer.js";
import { Line } from "./line.js";
import { MessageLog } from "./log.js";
import { Outgoing } from "./outgoing.js";
import { gap, hueOf, notSent } from "./rules.js";
import { draftOf, nameSetting, panel, roomSetting } from "./settings.js";

/** @type {(id: string) => any} */
const part = (id) => document.getElementById(id);
const { room = "", group = "", socket = "", messageMaxBytes } = document.body.dataset;

const client = connect({ url: socket, groups: [group] });
const outgoing = new Outgoing();
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
let replica = "";
let lostAt = 0;
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
  obstacle: () => (joined ? null : notSent({ code: "not_connected", message: "" })),
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
    await client.publish(group, { message, name: entry.name });
    entry.acknowledged = true;
  } catch (error) {
    // What has come back has arrived, whatever became of the acknowledgement.
    if (outgoing.has(entry)) {
      outgoing.remove(entry);
      composer.giveBack(message, notSent(/** @type {import("../fanout/client.js").FanoutError} */ (error)));
    }
  }
  item.remove();
  keepDraft();
}

/** A message that takes long to be confirmed is shown while it does. @param {string} message */
function waitingItem(message) {
  const item = document.createElement("li");
  item.className = "waiting";
  item.textContent = `Sending: ${message.slice(0, 80)}`;
  part("outgoing").append(item);
  return item;
}

client.on("state", (state) => {
  if (joined && state.state !== "open") {
    joined = false;
    lostAt = Date.now();
    for (const { message, name } of outgoing.takeAcknowledged()) log.message({ text: message, name, own: true });
  }
  line.show(state, joined);
});

client.on("joined", ({ replica: now }) => {
  if (replica) log.note(gap(replica, now, Date.now() - lostAt));
  joined = true;
  replica = now;
  line.answeredBy(replica);
  line.show(client.state, joined);
});

client.on("publication", ({ data }) => {
  if (typeof data?.message !== "string") return;
  const own = outgoing.claim(data) !== undefined;
  const name = typeof data.name === "string" && data.name.trim() ? data.name : "Anonymous";
  log.message({ text: data.message, name, own });
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
