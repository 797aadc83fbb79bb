import { Socket } from "phoenix";
import * as Y from "yjs";

import { openDocument } from "../client.js";
import { bindText } from "./text-binding.js";

const name = location.hash.slice(1) || "shared";
const state = document.querySelector("#state");
document.querySelector("#name").textContent = `Document: ${name}`;
addEventListener("hashchange", () => location.reload());

const written = new Y.Doc();
bindText(document.querySelector("#text"), written.getText("text"));

const socket = new Socket("/socket");
socket.onOpen(() => show("here", "connected"));
socket.onClose(() => show("away", "offline: keep writing, changes are merged later"));
socket.connect();
openDocument(socket, name, written);

function show(what, text) {
  state.dataset.state = what;
  state.textContent = text;
}
