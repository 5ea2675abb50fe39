/** The panel beside the chat: your name, kept in this browser, and the way to another room. */
import { guestName } from "./rules.js";

const NAME_KEY = "chat.name";

/** Storage may be forbidden by the browser's settings; the chat works without it.
 * @param {Storage} storage @param {string} key
 */
function stored(storage, key) {
  return {
    read: () => {
      try {
        return storage.getItem(key) ?? "";
      } catch {
        return "";
      }
    },
    write: (/** @type {string} */ value) => {
      try {
        storage.setItem(key, value);
      } catch {
        // full or forbidden: kept for as long as the page lives
      }
    },
  };
}

/** The text being typed in a room, over a reload of the page. @param {string} room */
export const draftOf = (room) => stored(globalThis.sessionStorage, `chat.draft.${room}`);

/** The positions of one's own messages in a room, over a reload of the page. @param {string} room */
export function ownOf(room) {
  const store = stored(globalThis.sessionStorage, `chat.own.${room}`);
  return {
    read: () => store.read().split(" ").filter(Boolean),
    write: (/** @type {string[]} */ positions) => store.write(positions.join(" ")),
  };
}

/** Keep a guest's name; a field left empty gets a new one. Returns what tells the name.
 * @param {HTMLFormElement} form @param {HTMLInputElement} field
 * @param {{kept: (name: string) => void, done: () => void}} listeners
 */
export function nameSetting(form, field, { kept, done }) {
  const store = stored(globalThis.localStorage, NAME_KEY);
  if (field.readOnly) {
    kept(field.value); // the name of an account
    form.addEventListener("submit", (event) => (event.preventDefault(), done()));
    return () => field.value;
  }
  const keep = () => {
    field.value = field.value.trim() || guestName();
    store.write(field.value);
    kept(field.value);
  };
  field.value = store.read();
  keep();
  field.addEventListener("change", keep);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keep();
    done();
  });
  return () => field.value.trim() || guestName();
}

/** Tell the rule while it is being broken, in the words of the help below the field.
 * @param {HTMLInputElement} field @param {HTMLElement} help
 */
export function roomSetting(field, help) {
  const check = () => {
    field.setCustomValidity("");
    const wrong = field.value !== "" && (!field.checkValidity() || [".", ".."].includes(field.value));
    field.setCustomValidity(wrong ? (help.textContent ?? "") : "");
    field.setAttribute("aria-invalid", String(wrong));
  };
  field.addEventListener("input", check);
  check();
}

/** On a narrow screen the panel opens on demand. @param {HTMLElement} toggle @param {HTMLElement} panel */
export function panel(toggle, panel) {
  const show = (/** @type {boolean} */ open) => {
    toggle.setAttribute("aria-expanded", String(open));
    panel.toggleAttribute("data-open", open);
  };
  toggle.addEventListener("click", () => show(toggle.getAttribute("aria-expanded") !== "true"));
  panel.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape" || !panel.hasAttribute("data-open")) return;
    show(false);
    toggle.focus();
  });
  return () => show(false);
}
