/**
 * The page of the demo chat, with the official `phoenix` client and plain DOM.
 *
 * There is one connection, with a channel for each opened room. User input is only inserted as
 * text, never as HTML.
 *
 * Runs on: the browser.
 */

import { Presence, Socket } from "./phoenix.mjs";

const ROOMS = ["lobby", "aviary", "mount-qaf"];
const BIRDS = ["Hoopoe", "Nightingale", "Partridge", "Heron", "Finch", "Falcon", "Owl", "Sparrow"];
/** Maximum number of lines kept per room, because a tab may stay open for days. */
const MAX_LINES = 300;
/** Maximum number of names shown per room; the rest is shown as a number. */
const MAX_NAMES = 24;

const element = (id) => document.getElementById(id);
const list = element("messages");
const body = element("body");
const nameInput = element("name");

/** The opened rooms, by name. */
const rooms = new Map();
let current;
let myName = sessionStorage.getItem("name") ?? randomName();
nameInput.value = myName;

const socket = new Socket("/socket");
socket.onOpen(() => showState("connected"));
socket.onClose(() => showState("reconnecting"));
socket.onError(() => showState("reconnecting"));
socket.connect();

for (const name of ROOMS) addRoom(name);
openRoom(location.hash.slice(1) || "lobby");

element("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = body.value;
  // Validated by the server, whose error message is shown.
  handleReply(current.channel.push("say", { body: text }), () => {
    if (body.value === text) body.value = "";
  });
});

nameInput.addEventListener("change", rename);
element("name-form").addEventListener("submit", (event) => {
  event.preventDefault();
  rename();
  body.focus();
});

element("other-room").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = element("room-name");
  openRoom(input.value.trim());
  input.value = "";
});

element("shard").addEventListener("click", () => {
  socket.disconnect(() => socket.connect());
});

addEventListener("hashchange", () => openRoom(location.hash.slice(1) || "lobby"));

// -- rooms ---------------------------------------------------------------------------------------

function addRoom(name) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(`#${name}`, textElement("span", "unread", ""));
  button.addEventListener("click", () => openRoom(name));
  const item = document.createElement("li");
  item.append(button);
  element("rooms").append(item);
  const room = {
    name,
    button,
    item,
    lines: [],
    unread: 0,
    channel: undefined,
    presence: undefined,
  };
  rooms.set(name, room);
  return room;
}

function openRoom(name) {
  const room = rooms.get(name) ?? addRoom(name);
  if (room === current) return;
  current?.button.removeAttribute("aria-current");
  current = room;
  room.button.setAttribute("aria-current", "page");
  room.unread = 0;
  showUnread(room);
  history.replaceState(null, "", `#${name}`);
  element("title").textContent = `#${name}`;
  list.replaceChildren(...room.lines);
  showWho(room);
  list.scrollTop = list.scrollHeight;
  element("empty").hidden = room.lines.length > 0;
  showProblem("");
  if (!room.channel) join(room);
  body.focus();
}

function join(room) {
  // A function, so that a rejoin after a reconnect sends the current name.
  const channel = socket.channel(`room:${room.name}`, () => ({ name: myName }));
  room.channel = channel;
  room.presence = new Presence(channel);
  room.presence.onSync(() => showWho(room));
  channel.on("said", (message) => addMessage(room, message));
  channel.on("entered", ({ name, shard }) => addNote(room, `${name} joined on shard ${shard}`));
  channel.on("left", ({ name }) => addNote(room, `${name} left`));
  channel.on("renamed", ({ before, name }) => addNote(room, `${before} is now ${name}`));
  channel
    .join()
    .receive("ok", ({ shard, shards }) => {
      showShard(shard, shards);
      addNote(room, `you joined on shard ${shard}`);
    })
    .receive("error", ({ reason }) => {
      // Leave, or the client would keep rejoining.
      channel.leave();
      room.channel = undefined;
      room.presence = undefined;
      if (!ROOMS.includes(room.name)) forgetRoom(room);
      showProblem(reason);
    });
}

/** Removes a room from the list. */
function forgetRoom(room) {
  rooms.delete(room.name);
  room.item.remove();
  if (current === room) openRoom("lobby");
}

function rename() {
  const name = nameInput.value;
  if (name === myName) return;
  if (!current.channel) {
    myName = name;
    join(current);
  }
  for (const { channel } of rooms.values()) {
    if (!channel) continue;
    handleReply(channel.push("rename", { name }), () => {
      myName = name.trim();
      sessionStorage.setItem("name", myName);
    });
  }
}

// -- display -------------------------------------------------------------------------------------

function addMessage(room, { name, body: text, shard, atMs }) {
  const line = document.createElement("div");
  line.className = name === myName ? "message mine" : "message";
  const time = textElement("time", "", new Date(atMs).toTimeString().slice(0, 5));
  time.dateTime = new Date(atMs).toISOString();
  const head = document.createElement("p");
  head.className = "head";
  head.append(textElement("b", "", name), shardTag(shard), time);
  line.append(head, textElement("p", "body", text));
  addLine(room, line);
  if (room === current && document.visibilityState === "visible") return;
  room.unread += 1;
  showUnread(room);
}

function addNote(room, text) {
  addLine(room, textElement("p", "note", text));
}

function addLine(room, line) {
  room.lines.push(line);
  if (room.lines.length > MAX_LINES) room.lines.shift().remove();
  if (room !== current) return;
  // Do not scroll if the user has scrolled up.
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  list.append(line);
  if (isAtEnd) list.scrollTop = list.scrollHeight;
  element("empty").hidden = room.lines.some((other) => other.classList.contains("message"));
}

function showWho(room) {
  if (room !== current) return;
  const people = room.presence?.list((_key, { metas }) => metas.at(-1)) ?? [];
  people.sort((one, other) => one.name.localeCompare(other.name));
  const shown = people.slice(0, MAX_NAMES).map(({ name, shard }) => {
    const item = textElement("li", "tag", name);
    item.title = `on shard ${shard}`;
    setHue(item, shard);
    return item;
  });
  const more = people.length - shown.length;
  if (more > 0) shown.push(textElement("li", "", `and ${more} more`));
  element("who").replaceChildren(...shown);
}

function showUnread({ button, unread }) {
  const badge = button.querySelector(".unread");
  badge.textContent = unread > 0 ? String(unread) : "";
  badge.setAttribute("aria-label", unread > 0 ? `${unread} unread` : "");
}

function showState(state) {
  const pill = element("state");
  pill.dataset.state = state;
  pill.textContent = state;
}

function showShard(shard, shards) {
  const pill = element("shard");
  pill.hidden = false;
  pill.dataset.shard = shard;
  pill.title = `Served by shard ${shard} (of 0 to ${shards - 1}). Click to reconnect to the next`;
  const dots = document.createElement("span");
  dots.className = "dots";
  for (let other = 0; other < Math.min(shards, 16); other += 1) {
    const dot = document.createElement("i");
    if (other === shard) setHue(dot, shard);
    dots.append(dot);
  }
  pill.replaceChildren(`shard ${shard}`, dots);
}

function showProblem(text) {
  const problem = element("problem");
  problem.textContent = text;
  problem.hidden = text === "";
}

function handleReply(push, done) {
  push
    .receive("ok", () => {
      showProblem("");
      done();
    })
    .receive("error", ({ reason }) => showProblem(reason))
    .receive("timeout", () => showProblem("the server did not answer; is it running?"));
}

function shardTag(shard) {
  const tag = textElement("span", "tag", `shard ${shard}`);
  setHue(tag, shard);
  return tag;
}

/** Sets the colour of a shard. The golden angle makes neighbours distinguishable. */
function setHue(target, shard) {
  target.style.setProperty("--hue", String((shard * 137.5 + 175) % 360));
  target.classList.add("lit");
}

function textElement(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

function randomName() {
  const bird = BIRDS[Math.floor(Math.random() * BIRDS.length)];
  const name = `${bird} ${Math.floor(Math.random() * 90) + 10}`;
  sessionStorage.setItem("name", name);
  return name;
}

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "visible" || !current) return;
  current.unread = 0;
  showUnread(current);
});
