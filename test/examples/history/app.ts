/**
 * A chat with a backlog, and answers that arrive word by word and go on while their page reloads.
 *
 * Runs on: a shard.
 */
import { defineChannel, defineEndpoint, defineSocket, ok, type ShardContext } from "simurgh";

const userSocket = defineSocket({ connect: ({ params }) => ok({ user: params["user"] ?? "" }) });

/** A chat: its clients join with `{ history: { last: 50 } }`. */
const room = defineChannel(userSocket, {
  history: { size: 1_000, ttlMs: 86_400_000, ephemeral: ["typing"] },
  join: () => ok(),
  handleIn: {
    say: (socket, { text }: { text: string }) =>
      socket.broadcast("said", { text, from: socket.assigns.user }),
    typing: (socket) => socket.broadcastFrom("typing", { from: socket.assigns.user }),
  },
});

/** The answer to one question. Its page may leave and come back: the topic has all words. */
const answer = defineChannel(userSocket, {
  history: { size: 10_000, ttlMs: 600_000 },
  join: () => ok(),
  handleIn: {
    // Not awaited, so that the words go on when the channel ends.
    ask: (socket, { question }: { question: string }) =>
      void write(socket.context, socket.topic, question),
  },
});

/**
 * Stands for a language model.
 *
 * @yields one word after the other
 */
async function* wordsFor(question: string): AsyncGenerator<string> {
  for (const word of `You asked: ${question} Nobody knows.`.split(" ")) {
    await new Promise((resolve) => {
      setTimeout(resolve, 20);
    });
    yield word;
  }
}

async function write(context: ShardContext, topic: string, question: string): Promise<void> {
  for await (const word of wordsFor(question)) context.broadcast(topic, "word", { word });
  context.broadcast(topic, "done", {});
}

export default defineEndpoint({
  sockets: {
    "/socket": { socket: userSocket, channels: { "room:*": room, "answer:*": answer } },
  },
});
