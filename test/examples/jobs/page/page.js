import { Socket } from "./phoenix.mjs";

const bar = document.querySelector("#bar");
const state = document.querySelector("#state");
const start = document.querySelector("#start");

const { socketPort } = document.documentElement.dataset;
const socket = new Socket(`ws://${location.hostname}:${socketPort}/socket`);
socket.connect();

start.addEventListener("click", () => {
  start.disabled = true;
  show(0);
  const id = crypto.randomUUID();
  const channel = socket.channel(`job:${id}`);
  const told = ({ percent }) => {
    show(percent);
    if (percent < 100) return;
    channel.leave();
    start.disabled = false;
  };
  channel.on("progress", told);

  let isStarted = false;
  // Joins before the job starts, so that no step is missed. Runs again after a lost connection.
  channel.join().receive("ok", async () => {
    const answer = isStarted ? await fetch(`/jobs/${id}`) : await startJob(id);
    isStarted = true;
    const body = await answer.json();
    if (!answer.ok) state.textContent = body.reason;
    else if ("percent" in body) told(body);
  });
});

function startJob(id) {
  const headers = { "content-type": "application/json" };
  return fetch("/jobs", { method: "POST", headers, body: JSON.stringify({ id }) });
}

function show(percent) {
  bar.value = percent;
  state.textContent = percent < 100 ? `${percent} %` : "done";
}
