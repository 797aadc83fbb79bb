import { Socket } from "phoenix";

const [state, time, form, input, list] = ["#state", "#time", "form", "input", "ul"].map((name) =>
  document.querySelector(name),
);

const socket = new Socket("/socket", { params: { name: "the page" }, reconnectAfterMs: () => 50 });
const room = socket.channel("room:lobby");
socket.onClose(() => {
  state.textContent = "connecting";
});
room.on("said", ({ by, payload }) => {
  const item = document.createElement("li");
  item.textContent = `${by}: ${payload.text}`;
  list.append(item);
});
room.join().receive("ok", ({ hello }) => {
  state.textContent = `joined as ${hello}`;
});
socket.connect();

form.addEventListener("submit", (event) => {
  event.preventDefault();
  room.push("say", { text: input.value });
  input.value = "";
});

const { atMs } = await (await fetch("/api/time")).json();
time.textContent = atMs > 0 ? "the API answers" : "";
