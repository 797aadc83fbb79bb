// node frames.mjs ws://localhost:4000/socket room:lobby '{"token":"…"}'
import { WebSocket } from "ws";

const [address, topic, params = "{}"] = process.argv.slice(2);
const socket = new WebSocket(`${address}/websocket?${new URLSearchParams({ vsn: "2.0.0" })}`);
const send = (frame) => {
  console.log(`> ${frame}`);
  socket.send(frame);
};

socket.on("open", () => send(`["1","1","${topic}","phx_join",${params}]`));
socket.on("message", (data, isBinary) =>
  console.log(`< ${Buffer.from(data).toString(isBinary ? "hex" : "utf8")}`),
);
socket.on("unexpected-response", (_, { statusCode }) => console.log(`refused with ${statusCode}`));
socket.on("error", () => {});
socket.on("close", (code) => console.log(`closed with ${code}`));
// Each line that you type is sent: ["1","2","room:lobby","say",{"text":"hi"}]
process.stdin.setEncoding("utf8").on("data", (lines) => {
  for (const line of lines.split("\n").filter((text) => text !== "")) send(line);
});
