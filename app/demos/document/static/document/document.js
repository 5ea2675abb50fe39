/** One document: the page's parts, tied to one client of fanout.v1. */
import { Doc, applyUpdate } from "./vendor/yjs.js";
import { connect } from "../fanout/client.js";
import { showLine, stored } from "../fanout/line.js";
import { Attic } from "./attic.js";
import { Binding } from "./binding.js";
import { Cursors } from "./cursors.js";
import { People } from "./people.js";
import { guestName, hereInWords, refused, savedInWords, toBase64 } from "./rules.js";
import { DocumentSync, REMOTE } from "./sync.js";
import { Unsent } from "./unsent.js";

/** Ms between two publications of this page's place, and at least so often while nothing changes. */
const CURSOR_MS = 100;
const ALIVE_MS = 10_000;
/** Ms for which a change may be on its way before the page says so. */
const PATIENCE_MS = 400;

/** @type {(id: string) => any} */
const part = (id) => document.getElementById(id);
const { name = "", snapshot = "", updateLimit } = document.body.dataset;
const [group, cursorsGroup] = [`document.${name}`, `cursors.${name}`];
const asked = new URLSearchParams(location.search).get("transport");
const transport = /** @type {any} */ (["websocket", "sse", "poll"].find((way) => way === asked));

const doc = new Doc();
const text = doc.getText("text");
const me = { id: toBase64(crypto.getRandomValues(new Uint8Array(12))).replace(/[^A-Za-z0-9]/g, "").slice(0, 10), name: "" };
const client = connect({ url: "/ws/", transport });
showLine(client);

// Changes

/** What is wrong with the document, and what is wrong for the moment. */
let [trouble, passing] = ["", ""];
/** @type {ReturnType<typeof setTimeout> | undefined} */ let patience;
const attic = new Attic(name, me.id, storage());
const unsent = new Unsent({
  publish: (update) => client.publish(group, { update: toBase64(update) }),
  limit: Number(updateLimit),
  changed: unsentChanged,
});
const sync = new DocumentSync({
  client, group, doc, info: me, url: snapshot,
  lacking: (update) => unsent.add(update),
  changed: opened,
  problem: (sentence) => {
    trouble = sentence;
    tell();
  },
});
doc.on("update", (/** @type {Uint8Array} */ update, /** @type {unknown} */ origin) => origin === REMOTE || unsent.add(update));

function unsentChanged() {
  attic.keepSoon(() => unsent.all);
  if (unsent.empty) {
    passing = "";
    attic.keep(null);
    attic.clear();
  }
  tell();
}

function opened() {
  part("text").readOnly = false;
  part("text").setAttribute("aria-busy", "false");
  if (!binding) bind();
  performance.mark("document-opened");
  tell();
}

// The field

/** @type {Binding | undefined} */ let binding;
const cursors = new Cursors({ field: part("text"), mirror: part("mirror"), layer: part("cursors"), text });

function bind() {
  binding = new Binding({ field: part("text"), text, changed: () => cursors.draw() });
  const manager = binding.undoManager;
  const show = () => {
    part("undo").disabled = !manager.canUndo();
    part("redo").disabled = !manager.canRedo();
  };
  for (const event of ["stack-item-added", "stack-item-popped", "stack-cleared"]) manager.on(/** @type {any} */ (event), show);
  part("undo").addEventListener("click", () => binding?.undo());
  part("redo").addEventListener("click", () => binding?.redo());
  cursors.draw();
}

/** What is wrong, and whether all is saved; a moment later, for most changes are confirmed by then. */
function tell() {
  const state = { waiting: !unsent.empty, open: client.state.state === "open", ready: sync.ready, refusal: unsent.refusal };
  const words = savedInWords(state);
  const show = () => {
    patience = undefined;
    part("saved").textContent = savedInWords({ ...state, waiting: !unsent.empty, refusal: unsent.refusal });
  };
  clearTimeout(patience);
  if (words === "Saving…") patience = setTimeout(show, PATIENCE_MS);
  else show();
  const notice = unsent.refusal ? refused(unsent.refusal) : trouble || passing || tooLong();
  if (part("notice").textContent !== notice) part("notice").textContent = notice;
}

function tooLong() {
  const { maxLength, value } = part("text");
  return value.length < maxLength ? "" : `This document is as long as it may be: ${maxLength.toLocaleString("en")} characters. Go on in another one.`;
}
part("text").addEventListener("input", tell);

client.on("state", ({ state }) => {
  if (state === "open") unsent.flush();
  tell();
});
client.on("error", ({ code, message }) => {
  if (code === "unavailable" && !unsent.empty) passing = message;
  tell();
});
part("retry").addEventListener("click", () => sync.retryNow());

// Who is here, and where

const people = new People();
const store = stored("document.name");
const account = part("name").dataset.account !== undefined;
me.name = account ? part("name").value : store.read() || guestName();
part("name").value = me.name;

client.on("joined", ({ group: joined, ...event }) => {
  if (joined === group) people.joined(event);
  if (joined === cursorsGroup) sayWhere();
  showPeople();
});
client.on("presence", ({ group: of, ...change }) => {
  if (of !== group) return;
  for (const id of people.changed(change)) cursors.leave(id);
  // Who came knows of nobody's place yet; not all tell at once.
  if (change.join || change.members) setTimeout(sayWhere, Math.random() * 1_000);
  showPeople();
});
client.on("publication", ({ group: of, data }) => {
  if (of !== cursorsGroup || data?.id === me.id) return;
  cursors.hear(data);
  showPeople();
});

let saidAt = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */ let saying;
/** Tell the others where this page's caret is, soon. */
function sayWhere() {
  saying ??= setTimeout(() => {
    saying = undefined;
    saidAt = Date.now();
    const here = document.activeElement === part("text") && sync.ready && !document.hidden;
    say({ ...me, ...(here && cursors.own) });
  }, Math.max(0, saidAt + CURSOR_MS - Date.now()));
}

/** @param {object} cursor */
const say = (cursor) => client.publish(cursorsGroup, cursor).catch(() => {}); // the next one may arrive
document.addEventListener("selectionchange", () => document.activeElement === part("text") && sayWhere());
for (const event of ["focus", "blur", "input"]) part("text").addEventListener(event, sayWhere);
setInterval(() => {
  if (!document.hidden) sayWhere();
  showPeople();
}, ALIVE_MS);

part("name-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
  event.preventDefault();
  rename();
  part("text").focus();
});
part("name").addEventListener("change", rename);
function rename() {
  if (account) return; // its name is the account's
  me.name = part("name").value.trim() || guestName();
  part("name").value = me.name;
  store.write(me.name);
  sayWhere();
  showPeople();
}

let peopleShown = "";
function showPeople() {
  const { count, people: shown } = people.shown({ ...me, account }, cursors.heard);
  const state = JSON.stringify([count, shown]);
  if (state === peopleShown) return;
  peopleShown = state;
  part("here").textContent = hereInWords(count);
  part("people").replaceChildren(
    ...shown.map(({ id, name: called, colour, account: known }) => {
      const item = document.createElement("li");
      item.dataset.series = String(colour);
      item.textContent = called;
      if (known) item.append(" ", mark());
      if (id === me.id) item.append(" ", Object.assign(document.createElement("small"), { textContent: "you" }));
      return item;
    }),
    ...(count > shown.length ? [Object.assign(document.createElement("li"), { textContent: `and ${count - shown.length} more` })] : []),
  );
}

/** What tells an account's name from one that somebody has given themselves. */
function mark() {
  const made = Object.assign(document.createElement("span"), { textContent: "✓", title: "This name is an account's." });
  made.setAttribute("role", "img");
  made.setAttribute("aria-label", "logged in");
  return made;
}

// Coming and going

addEventListener("pagehide", () => {
  attic.keep(unsent.all);
  say({ ...me, gone: true });
});
document.addEventListener("visibilitychange", sayWhere);

/** Storage may be forbidden by the browser's settings. */
function storage() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

showPeople();
tell();
// What an older page could not send any more; it is merged with what comes.
for (const update of attic.take()) {
  applyUpdate(doc, update, REMOTE);
  unsent.add(update);
}
sync.open();
client.join(cursorsGroup).catch((error) => client.report(error));
