// node frames.mjs "ws://localhost:4000/socket?user=ann" room:lobby '{"password":"…"}'
import { WebSocket } from "ws";

const [address, topic, params = "{}"] = process.argv.slice(2);
const url = new URL(address); // Its query has the parameters that `connect` gets.
url.pathname += "/websocket";
url.searchParams.set("vsn", "2.0.0");
const socket = new WebSocket(url);
const send = (frame) => {
  console.log(`> ${frame}`);
  socket.send(frame);
};

socket.on("open", () => {
  send(`["1","1","${topic}","phx_join",${params}]`);
  // Each line that you type is sent: ["1","2","room:lobby","say",{"text":"hi"}]
  process.stdin.setEncoding("utf8").on("data", (lines) => {
    for (const line of lines.split("\n").filter((text) => text !== "")) send(line);
  });
});
socket.on("message", (data, isBinary) =>
  console.log(`< ${Buffer.from(data).toString(isBinary ? "hex" : "utf8")}`),
);
socket.on("unexpected-response", (_, { statusCode }) => {
  console.log(`refused with ${statusCode}`);
  process.exit(1);
});
socket.on("error", ({ message }) => console.log(message));
socket.on("close", (code) => {
  console.log(`closed with ${code}`);
  process.stdin.pause();
});
